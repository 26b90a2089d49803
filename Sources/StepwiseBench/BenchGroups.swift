// The groups of `stepwise-bench replay`.

import Engine
import Messages

/// The groups that are stored. Their states are random, as states are mostly noise, and have 16 different contents
/// only, so that writers spend little time on them.
struct BenchGroups {
  static let modelHash = "bench"
  private static let contents = 16

  private let states: [(states: Tensor, cleanStates: Tensor)]

  /// - Parameter bytes: bytes of the states of a group.
  init(bytes: Int) {
    states = (0..<Self.contents).map { number in
      var random = RandomStream(seed: UInt64(number)).fork("bench")
      return (random.normal([2, 1, 1, bytes / 12]), random.normal([1, 1, 1, bytes / 12]))
    }
  }

  func group(_ number: Int) -> TrajectoryGroup {
    let content = states[number % Self.contents]
    let trajectory = Trajectory(
      states: content.states, cleanStates: content.cleanStates, logProbabilities: [-1],
      scores: [Score(step: 0, reward: "bench", version: "1", value: 1)], denseRewards: [1], anchorStep: 0)
    return TrajectoryGroup(
      runID: "bench", number: number, epoch: 0, actor: "bench", incarnation: 1, policyVersion: 0, prompt: "cat",
      seed: 1, timesteps: [1], eta: 1, guidanceScale: 1, trajectories: [trajectory])
  }

  /// Whether a group is the one with this number: compares the shapes and the first and last values of its tensors.
  func isUnchanged(_ group: TrajectoryGroup) -> Bool {
    guard let trajectory = group.trajectories.first, group.trajectories.count == 1 else { return false }
    let expected = states[group.number % Self.contents]
    func agree(_ found: Tensor, _ made: Tensor) -> Bool {
      found.shape == made.shape && found.unsafeBuffer.first == made.unsafeBuffer.first
        && found.unsafeBuffer.last == made.unsafeBuffer.last
    }
    return agree(trajectory.states, expected.states) && agree(trajectory.cleanStates, expected.cleanStates)
  }
}
