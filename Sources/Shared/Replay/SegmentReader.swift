// Reads a sealed segment: what it holds at once, its groups on demand. Every row is checked to fit the others, so a
// damaged file gives an error that names it, never a group that was not sealed.

internal import Engine
public import Messages

/// What the index knows of a stored group.
public struct ReplayEntry: Sendable, Equatable {
  /// Unique in the run.
  public let number: Int
  /// The epoch it was assigned for.
  public let epoch: Int
  /// The policy it was sampled from.
  public let policyVersion: Int
  /// What it was to show.
  public let prompt: String
  /// Who made it.
  public let actor: String
  /// Which life of that actor.
  public let incarnation: Int
  /// Trajectories in the group.
  public let trajectoryCount: Int
  /// Of the encoded message.
  public let byteCount: Int
  /// All scores of all trajectories are there.
  public let isScored: Bool
  /// By reward: the mean score of the trajectories' last scored states, where there are any.
  public let rewards: [String: Float]

  init(_ group: TrajectoryGroup, byteCount: Int) {
    number = group.number
    epoch = group.epoch
    policyVersion = group.policyVersion
    prompt = group.prompt
    actor = group.actor
    incarnation = group.incarnation
    trajectoryCount = group.trajectories.count
    self.byteCount = byteCount
    isScored = group.isScored
    rewards = ReplayEntry.means(group.trajectories.map(\.scores))
  }

  fileprivate init(
    number: Int, epoch: Int, policyVersion: Int, prompt: String, actor: String, incarnation: Int, byteCount: Int,
    isScored: Bool, scores: [[Score]]
  ) {
    self.number = number
    self.epoch = epoch
    self.policyVersion = policyVersion
    self.prompt = prompt
    self.actor = actor
    self.incarnation = incarnation
    trajectoryCount = scores.count
    self.byteCount = byteCount
    self.isScored = isScored
    rewards = ReplayEntry.means(scores)
  }

  private static func means(_ scores: [[Score]]) -> [String: Float] {
    var values: [String: [Float]] = [:]
    for trajectory in scores {
      for (reward, ofReward) in Dictionary(grouping: trajectory, by: \.reward) {
        if let value = ofReward.max(by: { $0.step < $1.step })?.value { values[reward, default: []].append(value) }
      }
    }
    return values.mapValues { $0.reduce(0, +) / Float($0.count) }
  }
}

/// A sealed segment. Any thread may read it.
public struct SegmentReader: Sendable {
  /// The file.
  public let path: String
  /// Whose trajectories it holds.
  public let origin: ReplayOrigin
  /// What it holds, in the order of its rows.
  public let entries: [ReplayEntry]
  /// Shape of every trajectory's states, `[N + 1, C, H, W]`.
  public var stateShape: [Int] { columns.stateShape }
  private let columns: Columns

  /// Opens a segment and reads everything but the states.
  ///
  /// - Throws: `ReplayError` when it is missing, damaged, or of another schema version.
  public init(_ path: String) throws {
    self.path = path
    (origin, columns) = try HDF5.exclusively {
      let file = try HDF5File(opening: path)
      let version = try file.readAttribute(SegmentSchema.schemaVersion)
      guard version == SegmentSchema.version else {
        throw ReplayError(
          .foreign, path: path,
          "expected schema version \(SegmentSchema.version), found \(version); read it with the release that wrote it")
      }
      let origin = ReplayOrigin(
        runID: try file.readTextAttribute(SegmentSchema.runID),
        modelHash: try file.readTextAttribute(SegmentSchema.modelHash),
        configuration: try file.readTextAttribute(SegmentSchema.configuration))
      return (origin, try Columns(file))
    }
    let columns = columns
    entries = columns.number.indices.map { columns.entry($0) }
  }

  /// Reads groups by their rows, one after another, in the given order.
  ///
  /// - Throws: `ReplayError` when the file is damaged; what `body` throws.
  public func readGroups(_ rows: [Int], _ body: (Int, TrajectoryGroup) throws -> Void) throws {
    try HDF5.exclusively {
      let file = try HDF5File(opening: path)
      for row in rows {
        HDF5.pause()
        let trajectories = columns.trajectories(row)
        let states = try file.read(SegmentSchema.Trajectory.states, rows: trajectories)
        let cleanStates = try file.read(SegmentSchema.Trajectory.cleanStates, rows: trajectories)
        try body(row, columns.group(row, runID: origin.runID, states, cleanStates))
      }
    }
  }

  /// Reads one group by its row.
  public func group(_ row: Int) throws -> TrajectoryGroup {
    var found: TrajectoryGroup?
    try readGroups([row]) { found = $1 }
    return found!
  }
}

/// Everything in a segment but the states, checked to fit together.
private struct Columns: Sendable {
  let number: [Int64], epoch: [Int64], policyVersion: [Int64], incarnation: [Int64], prompt: [String], actor: [String]
  let seed: [UInt64], timesteps: [Int32], eta: [Float], guidanceScale: [Float], byteCount: [Int64]
  let firstTrajectory: [Int64], logProbabilities: [Float], denseRewards: [Float], isScored: [UInt8]
  let anchorStep: [Int32], firstScore: [Int64], step: [Int32], reward: [String], version: [String], value: [Float]
  let stepCount: Int
  let stateShape: [Int]

  init(_ file: borrowing HDF5File) throws {
    number = try file.read(SegmentSchema.Group.number)
    epoch = try file.read(SegmentSchema.Group.epoch)
    policyVersion = try file.read(SegmentSchema.Group.policyVersion)
    incarnation = try file.read(SegmentSchema.Group.incarnation)
    prompt = try file.readTexts(SegmentSchema.Group.prompt)
    actor = try file.readTexts(SegmentSchema.Group.actor)
    seed = try file.read(SegmentSchema.Group.seed)
    timesteps = try file.read(SegmentSchema.Group.timesteps)
    eta = try file.read(SegmentSchema.Group.eta)
    guidanceScale = try file.read(SegmentSchema.Group.guidanceScale)
    byteCount = try file.read(SegmentSchema.Group.byteCount)
    firstTrajectory = try file.read(SegmentSchema.Group.firstTrajectory)
    logProbabilities = try file.read(SegmentSchema.Trajectory.logProbabilities)
    denseRewards = try file.read(SegmentSchema.Trajectory.denseRewards)
    isScored = try file.read(SegmentSchema.Trajectory.isScored)
    anchorStep = try file.read(SegmentSchema.Trajectory.anchorStep)
    firstScore = try file.read(SegmentSchema.Trajectory.firstScore)
    step = try file.read(SegmentSchema.Score.step)
    reward = try file.readTexts(SegmentSchema.Score.reward)
    version = try file.readTexts(SegmentSchema.Score.version)
    value = try file.read(SegmentSchema.Score.value)

    let states = try file.shape(SegmentSchema.Trajectory.states)
    let cleanStates = try file.shape(SegmentSchema.Trajectory.cleanStates)
    let groups = number.count
    let trajectories = isScored.count
    let scores = step.count
    stepCount = cleanStates.count == 5 ? cleanStates[1] : 0
    stateShape = Array(states.dropFirst())
    let steps = stepCount
    let groupColumns = [
      epoch.count, policyVersion.count, incarnation.count, prompt.count, actor.count, seed.count, eta.count,
      guidanceScale.count, byteCount.count,
    ]
    guard groups > 0, steps > 0, groupColumns.allSatisfy({ $0 == groups }), timesteps.count == groups * steps,
      logProbabilities.count == trajectories * steps, denseRewards.count == trajectories * steps,
      anchorStep.count == trajectories, reward.count == scores, version.count == scores, value.count == scores,
      states == [trajectories, steps + 1] + cleanStates.dropFirst(2), cleanStates[0] == trajectories,
      Self.divides(firstTrajectory, rows: groups, into: trajectories),
      zip(firstTrajectory, firstTrajectory.dropFirst()).allSatisfy({ $0 < $1 }), number[0] >= 0,
      zip(number, number.dropFirst()).allSatisfy({ $0 < $1 }), byteCount.allSatisfy({ $0 >= 0 }),
      Self.divides(firstScore, rows: trajectories, into: scores), step.allSatisfy({ $0 >= 0 && $0 < steps }),
      anchorStep.allSatisfy({ $0 >= 0 && $0 < steps })
    else {
      throw ReplayError(
        .damaged, path: file.path, "its datasets do not fit together, expected the sizes of one segment")
    }
  }

  /// These starts divide `count` rows below into `rows` parts.
  private static func divides(_ starts: [Int64], rows: Int, into count: Int) -> Bool {
    starts.count == rows + 1 && starts.first == 0 && starts.last == Int64(count)
      && zip(starts, starts.dropFirst()).allSatisfy { $0 <= $1 }
  }

  func trajectories(_ row: Int) -> Range<Int> { Int(firstTrajectory[row])..<Int(firstTrajectory[row + 1]) }

  private func scores(_ trajectory: Int) -> [Score] {
    (Int(firstScore[trajectory])..<Int(firstScore[trajectory + 1])).map {
      Score(
        step: Int(step[$0]), reward: reward[$0], version: version[$0], value: value[$0].isNaN ? nil : value[$0])
    }
  }

  func entry(_ row: Int) -> ReplayEntry {
    ReplayEntry(
      number: Int(number[row]), epoch: Int(epoch[row]), policyVersion: Int(policyVersion[row]), prompt: prompt[row],
      actor: actor[row], incarnation: Int(incarnation[row]), byteCount: Int(byteCount[row]), isScored: trajectories(row).allSatisfy { isScored[$0] != 0 },
      scores: trajectories(row).map { scores($0) })
  }

  func group(
    _ row: Int, runID: String, _ states: (values: [Float], rowShape: [Int]),
    _ cleanStates: (values: [Float], rowShape: [Int])
  ) -> TrajectoryGroup {
    let rows = trajectories(row)
    let allStates = Tensor(states.values, shape: [rows.count] + states.rowShape)
    let allCleanStates = Tensor(cleanStates.values, shape: [rows.count] + cleanStates.rowShape)
    func one(_ tensor: Tensor, _ index: Int) -> Tensor {
      tensor.slice(axis: 0, index..<index + 1).reshaped(Array(tensor.shape.dropFirst()))
    }
    let trajectories = rows.enumerated().map { index, trajectory in
      let steps = trajectory * stepCount..<(trajectory + 1) * stepCount
      return Trajectory(
        states: one(allStates, index), cleanStates: one(allCleanStates, index),
        logProbabilities: Array(logProbabilities[steps]), scores: scores(trajectory),
        denseRewards: isScored[trajectory] == 0 ? [] : Array(denseRewards[steps]),
        anchorStep: Int(anchorStep[trajectory]))
    }
    return TrajectoryGroup(
      runID: runID, number: Int(number[row]), epoch: Int(epoch[row]), actor: actor[row],
      incarnation: Int(incarnation[row]), policyVersion: Int(policyVersion[row]), prompt: prompt[row], seed: seed[row],
      timesteps: timesteps[row * stepCount..<(row + 1) * stepCount].map { Int($0) }, eta: eta[row],
      guidanceScale: guidanceScale[row], trajectories: trajectories)
  }
}
