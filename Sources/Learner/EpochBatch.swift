// An epoch's groups as training takes them: in the order of their numbers, so that it makes no difference who made them
// or when they came; checked against the run's settings; without those that miss a score.

internal import Algorithms
internal import Diffusion
internal import Engine
internal import Messages

/// The groups of one epoch that can be trained on.
struct EpochBatch {
  /// In the order of their numbers.
  let groups: [TrajectoryGroup]
  /// Groups left out because a score is missing: missing is not zero.
  let unscored: Int

  /// - Parameters:
  ///   - received: all groups of the epoch, in any order.
  ///   - process: what they must have been sampled with.
  ///   - groupSize: trajectories a group.
  ///   - shape: a state's, `[C, H, W]`.
  /// - Throws: `TrainingError` naming the group that was sampled otherwise.
  init(_ received: [TrajectoryGroup], process: DDIM, guidanceScale: Float, groupSize: Int, shape: [Int]) throws {
    groups = received.filter(\.isScored).sorted { $0.number < $1.number }
    unscored = received.count - groups.count
    let steps = process.timesteps.count
    for group in groups {
      func require(_ condition: Bool, _ expected: String, _ found: String) throws {
        guard condition else {
          throw TrainingError(
            "group \(group.number) of actor \(group.actor): expected \(expected), found \(found); "
              + "actors and learner must run with one configuration")
        }
      }
      try require(group.timesteps == process.timesteps, "timesteps \(process.timesteps)", "\(group.timesteps)")
      try require(group.eta == process.eta, "eta \(process.eta)", "\(group.eta)")
      try require(
        group.guidanceScale == guidanceScale, "guidance scale \(guidanceScale)", "\(group.guidanceScale)")
      try require(
        group.trajectories.count == groupSize, "\(groupSize) trajectories", "\(group.trajectories.count)")
      for trajectory in group.trajectories {
        try require(
          trajectory.states.shape == [steps + 1] + shape, "states \([steps + 1] + shape)", "\(trajectory.states.shape)")
        try require(
          trajectory.logProbabilities.count == steps && trajectory.denseRewards.count == steps,
          "\(steps) log-probabilities and rewards",
          "\(trajectory.logProbabilities.count) and \(trajectory.denseRewards.count)")
      }
    }
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

  /// The behaviour policy's log-probabilities of some groups' steps, `[G, M]`.
  func behaviour(_ entries: [GroupStep], groupSize: Int) -> Tensor {
    Tensor(
      (0..<groupSize).flatMap { member in
        entries.map { groups[$0.group].trajectories[member].logProbabilities[$0.step] }
      }, shape: [groupSize, entries.count])
  }
}
