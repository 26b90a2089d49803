// Checks whether a group was sampled with the settings of the run. The learner checks every group once, before it is
// stored; offline training checks the groups that it reads.

internal import Diffusion
internal import Engine
internal import Messages

struct SamplingTerms: Sendable {
  let process: DDIM
  let guidanceScale: Float
  let groupSize: Int
  /// The step up to which a group's trajectories share all states.
  let branchStep: @Sendable (_ epoch: Int) -> Int
  /// Shape of a state, `[C, H, W]`.
  let shape: [Int]

  /// The reason why a group cannot be trained on; nil when it can. Groups without scores pass: `EpochBatch` leaves them
  /// out.
  func objection(to group: TrajectoryGroup) -> String? {
    let steps = process.timesteps.count
    func difference(_ what: String, _ expected: some Any, _ found: some Any) -> String {
      "group \(group.number) of actor \(group.actor): expected \(what) \(expected), found \(found); start the actor "
        + "with the learner's configuration"
    }
    if group.timesteps != process.timesteps { return difference("timesteps", process.timesteps, group.timesteps) }
    if group.eta != process.eta { return difference("eta", process.eta, group.eta) }
    if group.guidanceScale != guidanceScale { return difference("guidance scale", guidanceScale, group.guidanceScale) }
    if group.trajectories.count != groupSize { return difference("trajectories", groupSize, group.trajectories.count) }
    let shared = branchStep(group.epoch)
    for trajectory in group.trajectories {
      let expected = [steps + 1] + shape, found = trajectory.states.shape
      if found != expected { return difference("states", expected, found) }
      if trajectory.logProbabilities.count != steps {
        return difference("log-probabilities", steps, trajectory.logProbabilities.count)
      }
      if trajectory.isScored, trajectory.denseRewards.count != steps {
        return difference("dense rewards", steps, trajectory.denseRewards.count)
      }
      // Shared states are equal to the bit, unless actor and learner disagree on the branch step.
      for step in 0...shared where !trajectory.states.row(step, equals: group.trajectories[0].states) {
        return difference("states shared up to step", shared, "different states at step \(step)")
      }
    }
    return nil
  }
}

extension Tensor {
  /// Whether a row has the same bits as that row of another tensor of the same shape.
  func row(_ index: Int, equals other: Tensor) -> Bool {
    slice(axis: 0, index..<index + 1).withUnsafeBuffer { a in
      other.slice(axis: 0, index..<index + 1).withUnsafeBuffer { b in
        zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
      }
    }
  }
}
