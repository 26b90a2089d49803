// Whether a group was sampled with the run's settings. The learner judges every group once, before it is stored;
// offline training judges the groups that it reads.

internal import Diffusion
internal import Engine
internal import Messages

/// The settings that a group must have been sampled with to be trained on.
struct SamplingTerms: Sendable {
  let process: DDIM
  let guidanceScale: Float
  /// Trajectories per group.
  let groupSize: Int
  /// The step up to which a group's trajectories share all states.
  let branchStep: @Sendable (_ epoch: Int) -> Int
  /// Shape of a state, `[C, H, W]`.
  let shape: [Int]

  /// Why a group cannot be trained on; nil when it can. A group may lack scores: `EpochBatch` leaves it out.
  func objection(to group: TrajectoryGroup) -> String? {
    let steps = process.timesteps.count
    func unlike(_ what: String, _ expected: some Any, _ found: some Any) -> String {
      "group \(group.number) of actor \(group.actor): expected \(what) \(expected), found \(found); start the actor "
        + "with the learner's configuration"
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
      // Shared states are equal to the bit, unless actor and learner disagree on the branch step.
      for step in 0...shared where !trajectory.states.row(step, equals: group.trajectories[0].states) {
        return unlike("states shared up to step", shared, "others at step \(step)")
      }
    }
    return nil
  }
}

extension Tensor {
  /// Whether the row of this index is bit for bit that of another tensor of the same shape.
  func row(_ index: Int, equals other: Tensor) -> Bool {
    slice(axis: 0, index..<index + 1).withUnsafeBuffer { a in
      other.slice(axis: 0, index..<index + 1).withUnsafeBuffer { b in
        zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
      }
    }
  }
}
