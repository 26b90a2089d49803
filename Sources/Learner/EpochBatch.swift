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
    for trajectory in group.trajectories {
      let expected = [steps + 1] + shape, found = trajectory.states.shape
      if found != expected { return unlike("states", expected, found) }
      if trajectory.logProbabilities.count != steps {
        return unlike("log-probabilities", steps, trajectory.logProbabilities.count)
      }
      if trajectory.isScored, trajectory.denseRewards.count != steps {
        return unlike("dense rewards", steps, trajectory.denseRewards.count)
      }
    }
    return nil
  }
}

/// The groups of one epoch that can be trained on.
struct EpochBatch {
  /// In the order of their numbers.
  let groups: [TrajectoryGroup]
  /// Groups left out because a score is missing: missing is not zero.
  let unscored: Int

  /// - Parameter received: all groups of the epoch, in any order.
  /// - Throws: `TrainingError` naming the group that was sampled otherwise.
  init(_ received: [TrajectoryGroup], _ terms: SamplingTerms) throws {
    for group in received {
      if let objection = terms.objection(to: group) { throw TrainingError(objection) }
    }
    groups = received.filter(\.isScored).sorted { $0.number < $1.number }
    unscored = received.count - groups.count
  }

  /// All trajectories, those of a group side by side.
  var trajectories: [Trajectory] { groups.flatMap(\.trajectories) }
  /// One prompt a trajectory.
  var prompts: [String] { groups.flatMap { [String](repeating: $0.prompt, count: $0.trajectories.count) } }

  /// The states that some groups' steps begin or end in: trajectory by trajectory, the groups of each side by side,
  /// `[G * M, C, H, W]`.
  ///
  /// - Parameter offset: 0 for the states that the steps begin in, 1 for those they lead to.
  func states(_ entries: [GroupStep], offset: Int, groupSize: Int) -> Tensor {
    Tensor.concatenated(
      (0..<groupSize).flatMap { member in
        entries.map { entry in
          let step = entry.step + offset
          return groups[entry.group].trajectories[member].states.slice(axis: 0, step..<step + 1)
        }
      }, axis: 0)
  }

  /// For each row of `states(_:offset:groupSize:)` with offset 0, the first row with the same state, step and prompt: a
  /// group's trajectories mostly begin in one state.
  func firstAlike(_ entries: [GroupStep], groupSize: Int) -> [Int] {
    (0..<groupSize).flatMap { member in
      entries.enumerated().map { index, entry in
        let trajectories = groups[entry.group].trajectories
        func begin(_ member: Int) -> [Float] { trajectories[member].states.slice(axis: 0, 0..<1).values }
        let own = member * entries.count + index
        return entry.step == 0 && member > 0 && begin(member) == begin(0) ? index : own
      }
    }
  }

  /// The behaviour policy's log-probabilities of some groups' steps, `[G, M]`.
  func behaviour(_ entries: [GroupStep], groupSize: Int) -> Tensor {
    Tensor(
      (0..<groupSize).flatMap { member in
        entries.map { groups[$0.group].trajectories[member].logProbabilities[$0.step] }
      }, shape: [groupSize, entries.count])
  }
}
