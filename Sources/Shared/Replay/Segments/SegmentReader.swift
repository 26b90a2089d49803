// Reads a sealed segment: everything but the states when it is opened, the states on demand. The rows are checked
// against each other, so a damaged file gives an error with its path, never a group that was not sealed.

internal import Durable
internal import Engine
package import Messages

/// A sealed segment. Any thread may read it.
package struct SegmentReader: Sendable {
  package let path: String
  package let origin: ReplayOrigin
  package let entries: [ReplayEntry]
  /// Shape of every trajectory's states, `[N + 1, C, H, W]`.
  package var stateShape: [Int] { columns.states.rowShape }
  private let columns: Columns

  /// Opens a segment and reads everything but the states.
  ///
  /// - Throws: `ReplayError` when it is damaged or of another schema version; `SystemError`.
  package init(_ path: String) throws {
    self.path = path
    (origin, columns) = try HDF5.exclusively {
      let file = try HDF5File(opening: path)
      let version = try file.readAttribute(SegmentSchema.schemaVersion)
      guard version == SegmentSchema.version else {
        throw ReplayError(
          .foreign, path: path,
          "expected schema version \(SegmentSchema.version), found \(version); read the file with the release that wrote it")
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

  /// Reads one group by its row. Throws `ReplayError` when the file is damaged; `SystemError`.
  package func group(_ row: Int) throws -> TrajectoryGroup {
    let file = try OpenFile(path, .reading)
    let states = try columns.trajectories(row).map {
      (try read(columns.states, $0, from: file), try read(columns.cleanStates, $0, from: file))
    }
    return columns.group(row, runID: origin.runID, states)
  }

  /// A trajectory's states, read without HDF5: they are contiguous and have a checksum.
  private func read(_ dataset: StateDataset, _ trajectory: Int, from file: borrowing OpenFile) throws -> Tensor {
    try Tensor(shape: dataset.rowShape) { values in
      let bytes = UnsafeMutableRawBufferPointer(values)
      try file.readWhole(into: bytes, at: dataset.offset(of: trajectory))
      guard CRC32C.checksum(UnsafeRawBufferPointer(bytes)) == dataset.checksums[trajectory] else {
        throw ReplayError(
          .damaged, path: path, "the checksum of row \(trajectory) of \(dataset.name) does not match its values")
      }
    }
  }

  /// Writes the states of a group's trajectories at their positions in this segment.
  func writeStates(of group: TrajectoryGroup, _ row: Int, to file: borrowing OpenFile) throws {
    for (number, trajectory) in zip(columns.trajectories(row), group.trajectories) {
      for (dataset, tensor) in [(columns.states, trajectory.states), (columns.cleanStates, trajectory.cleanStates)] {
        try tensor.withUnsafeBuffer {
          try file.write(UnsafeRawBufferPointer($0), at: dataset.offset(of: number))
        }
      }
    }
  }
}

/// Everything in a segment but the states, with checked sizes.
private struct Columns: Sendable {
  let number: [Int64], epoch: [Int64], policyVersion: [Int64], incarnation: [Int64], prompt: [String], actor: [String]
  let seed: [UInt64], timesteps: [Int32], eta: [Float], guidanceScale: [Float], byteCount: [Int64]
  let firstTrajectory: [Int64], logProbabilities: [Float], denseRewards: [Float], isScored: [UInt8]
  let anchorStep: [Int32], firstScore: [Int64], step: [Int32], reward: [String], version: [String], value: [Float]
  let states: StateDataset, cleanStates: StateDataset
  let stepCount: Int

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

    states = try StateDataset(SegmentSchema.Trajectory.states, SegmentSchema.Trajectory.statesChecksum, file)
    cleanStates = try StateDataset(
      SegmentSchema.Trajectory.cleanStates, SegmentSchema.Trajectory.cleanStatesChecksum, file)
    let groups = number.count
    let trajectories = isScored.count
    let scores = step.count
    let steps = cleanStates.rowShape.count == 4 ? cleanStates.rowShape[0] : 0
    stepCount = steps
    let groupColumns = [
      epoch.count, policyVersion.count, incarnation.count, prompt.count, actor.count, seed.count, eta.count,
      guidanceScale.count, byteCount.count,
    ]
    guard groups > 0, steps > 0, groupColumns.allSatisfy({ $0 == groups }), timesteps.count == groups * steps,
      logProbabilities.count == trajectories * steps, denseRewards.count == trajectories * steps,
      anchorStep.count == trajectories, reward.count == scores, version.count == scores, value.count == scores,
      states.checksums.count == trajectories, cleanStates.checksums.count == trajectories,
      states.rowShape == [steps + 1] + cleanStates.rowShape.dropFirst(),
      Self.divides(firstTrajectory, rows: groups, into: trajectories),
      zip(firstTrajectory, firstTrajectory.dropFirst()).allSatisfy({ $0 < $1 }), number[0] >= 0,
      zip(number, number.dropFirst()).allSatisfy({ $0 < $1 }), byteCount.allSatisfy({ $0 >= 0 }),
      Self.divides(firstScore, rows: trajectories, into: scores), step.allSatisfy({ $0 >= 0 && $0 < steps }),
      anchorStep.allSatisfy({ $0 >= 0 && $0 < steps })
    else {
      throw ReplayError(
        .damaged, path: file.path, "the sizes of its datasets do not match")
    }
  }

  /// Whether these starts divide `count` rows of the next level into `rows` parts.
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
      actor: actor[row], incarnation: Int(incarnation[row]), byteCount: Int(byteCount[row]),
      isScored: trajectories(row).allSatisfy { isScored[$0] != 0 }, scores: trajectories(row).map { scores($0) })
  }

  func group(_ row: Int, runID: String, _ states: [(Tensor, Tensor)]) -> TrajectoryGroup {
    let trajectories = zip(trajectories(row), states).map { trajectory, states in
      let steps = trajectory * stepCount..<(trajectory + 1) * stepCount
      return Trajectory(
        states: states.0, cleanStates: states.1, logProbabilities: Array(logProbabilities[steps]),
        scores: scores(trajectory),
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

private struct StateDataset: Sendable {
  let name: String
  let rowShape: [Int]
  let checksums: [UInt32]
  private let start: Int

  /// - Throws: `ReplayError` when the states lie outside the file, or their number is not that of the checksums.
  init(_ name: String, _ checksum: String, _ file: borrowing HDF5File) throws {
    let (offset, shape) = try file.position(name)
    checksums = try file.read(checksum)
    guard shape.first == checksums.count else {
      throw ReplayError(
        .damaged, path: file.path, "\(name): expected \(checksums.count) rows, found shape \(shape)")
    }
    self.name = name
    rowShape = Array(shape.dropFirst())
    start = offset
  }

  func offset(of row: Int) -> Int { start + row * rowShape.reduce(MemoryLayout<Float>.size, *) }
}
