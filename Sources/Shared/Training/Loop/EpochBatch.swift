// An epoch's groups as training takes them: in the order of their numbers, so that it makes no difference who made them
// or when they came; checked against the run's settings; without those that miss a score.

internal import Algorithms
internal import Diffusion
internal import Engine
internal import Messages

/// What a group must have been sampled with to be trained on.
struct SamplingTerms: Sendable {
  let process: DDIM
  let guidanceScale: Float
  /// Trajectories a group.
  let groupSize: Int
  /// The step up to which an epoch's groups share all states.
  let branchStep: @Sendable (_ epoch: Int) -> Int
  /// A state's shape, `[C, H, W]`.
  let shape: [Int]

  /// Says why a group cannot be trained on, nil when it can.
  func objection(to group: TrajectoryGroup) -> String? {
    let steps = process.timesteps.count
    func unlike(_ what: String, _ expected: some Any, _ found: some Any) -> String {
      "group \(group.number) of actor \(group.actor): expected \(what) \(expected), found \(found); "
        + "start the actor with the learner's configuration"
    }
    if group.timesteps != process.timesteps { return unlike("timesteps", process.timesteps, group.timesteps) }
    if group.eta != process.eta { return unlike("eta", process.eta, group.eta) }
    if group.guidanceScale != guidanceScale { return unlike("guidance scale", guidanceScale, group.guidanceScale) }
    if group.trajectories.count != groupSize { return unlike("trajectories", groupSize, group.trajectories.count) }
    let shared = branchStep(group.epoch)
    for trajectory in group.trajectories {
      let expected = [steps + 1] + shape, found = trajectory.states.shape
      if found != expected { return unlike("states", expected, found) }
      if trajectory.logProbabilities.count != steps {
        return unlike("log-probabilities", steps, trajectory.logProbabilities.count)
      }
      if trajectory.isScored, trajectory.denseRewards.count != steps {
        return unlike("dense rewards", steps, trajectory.denseRewards.count)
      }
      // Whatever they share they share to the bit, or actor and learner disagree on where branches split.
      for step in 0...shared where !trajectory.states.row(step, equals: group.trajectories[0].states) {
        return unlike("states shared up to step", shared, "others at step \(step)")
      }
    }
    return nil
  }
}

/// The groups of one epoch that can be trained on.
struct EpochBatch {
  /// In the order of their numbers.
  let groups: [TrajectoryGroup]
  /// Groups that were left out because they have no dense rewards.
  let unscored: Int
  /// Why groups were left out, for the log; nil where none was.
  let reasonLeftOut: String?

  /// - Parameter received: all groups of the epoch, in any order.
  /// - Throws: `TrainingError` naming the group that was sampled otherwise.
  init(_ received: [TrajectoryGroup], _ terms: SamplingTerms) throws {
    for group in received {
      if let objection = terms.objection(to: group) { throw TrainingError(objection) }
    }
    self.init(scored: received)
  }

  /// - Parameter received: groups of any epoch and any settings, in any order.
  init(scored received: [TrajectoryGroup]) {
    groups = received.filter(\.isScored).sorted { $0.number < $1.number }
    unscored = received.count - groups.count
    reasonLeftOut = unscored > 0 ? Self.reason(received.filter { !$0.isScored }) : nil
  }

  /// Names the rewards whose scores the groups lack, and how many.
  private static func reason(_ unscored: [TrajectoryGroup]) -> String {
    let scores = Dictionary(grouping: unscored.flatMap { $0.trajectories.flatMap(\.scores) }, by: \.reward)
    let missing = scores.mapValues { scores in scores.count { $0.value?.isFinite != true } }.filter { $1 > 0 }
    guard missing.isEmpty else {
      let lines = missing.keys.sorted().map { "\($0) (\(missing[$0]!) of \(scores[$0]!.count) scores)" }
      return "scores are missing: " + lines.joined(separator: ", ")
    }
    return "no dense rewards follow from their scores (of \(scores.keys.sorted().joined(separator: ", "))); check that "
      + "reward.weights names the rewards that the groups were scored with"
  }

  /// All trajectories, those of a group side by side.
  var trajectories: [Trajectory] { groups.flatMap(\.trajectories) }

  /// What a method chooses from.
  var rewards: [GroupRewards] {
    groups.map { GroupRewards(prompt: $0.prompt, dense: $0.trajectories.map(\.denseRewards)) }
  }
}

/// The units of an epoch that a method chose, and tensors of their steps.
struct UnitBatch {
  let groups: [TrajectoryGroup]
  /// All of one size.
  let units: [TrainingUnit]
  /// Trajectories a unit, G.
  let unitSize: Int

  /// - Parameter units: at least one.
  init(_ groups: [TrajectoryGroup], _ units: [TrainingUnit]) {
    self.groups = groups
    self.units = units
    unitSize = units[0].members.count
  }

  /// One prompt a trajectory, in the order of `states`.
  func prompts(_ entries: [UnitStep]) -> [String] { each(entries) { unit, _, _ in groups[unit.group].prompt } }

  /// The states that some units' steps begin or end in: member by member, the units of each side by side,
  /// `[G * M, C, H, W]`.
  ///
  /// - Parameter offset: 0 for the states that the steps begin in, 1 for those they lead to.
  func states(_ entries: [UnitStep], offset: Int) -> Tensor {
    Tensor.concatenated(
      each(entries) { unit, member, step in
        groups[unit.group].trajectories[unit.members[member]].states.slice(axis: 0, step + offset..<step + offset + 1)
      }, axis: 0)
  }

  /// For each row of `states(_:offset:)` with offset 0, the first row with the same state, step and prompt: a group's
  /// trajectories begin in one state, and share more where they branch later.
  func firstAlike(_ entries: [UnitStep]) -> [Int] {
    (0..<unitSize).flatMap { member in
      entries.enumerated().map { index, entry in
        let unit = units[entry.unit], trajectories = groups[unit.group].trajectories
        let own = trajectories[unit.members[member]].states, first = trajectories[unit.members[0]].states
        return member > 0 && own.row(entry.step, equals: first) ? index : member * entries.count + index
      }
    }
  }

  /// The behaviour policy's log-probabilities of some units' steps, `[G, M]`.
  func behaviour(_ entries: [UnitStep]) -> Tensor {
    Tensor(
      each(entries) { unit, member, step in
        groups[unit.group].trajectories[unit.members[member]].logProbabilities[step]
      }, shape: [unitSize, entries.count])
  }

  /// Advantages of some units' steps, `[G, M]`.
  func advantages(_ entries: [UnitStep]) -> Tensor {
    Tensor(each(entries) { unit, member, step in unit.advantages[member][step] }, shape: [unitSize, entries.count])
  }

  private func each<Value>(_ entries: [UnitStep], _ value: (TrainingUnit, Int, Int) -> Value) -> [Value] {
    (0..<unitSize).flatMap { member in entries.map { value(units[$0.unit], member, $0.step) } }
  }
}

extension Tensor {
  /// Whether the row of this index is bit for bit that of another tensor of the same shape.
  fileprivate func row(_ index: Int, equals other: Tensor) -> Bool {
    slice(axis: 0, index..<index + 1).withUnsafeBuffer { a in
      other.slice(axis: 0, index..<index + 1).withUnsafeBuffer { b in
        zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
      }
    }
  }
}
