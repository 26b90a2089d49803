// Combines several rewards into dense rewards. Actors add up raw scores. Only the learner can normalize each reward by
// its latest scores, because it has the scores of all actors; it takes them in the order of the group numbers, so that
// the result does not depend on which actor sampled which group.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Engine
internal import Messages

struct LearnedReward {
  private let sum: RewardSum
  /// Nil when rewards are not normalized.
  var normalization: RewardNormalization?

  /// - Throws: `AlgorithmError` when the window is too small.
  init(_ reward: RewardSettings) throws {
    sum = RewardSum(reward.weights)
    normalization = reward.normalizationWindow == 0 ? nil : try RewardNormalization(window: reward.normalizationWindow)
  }

  /// The groups of an epoch with dense rewards from normalized scores. Groups without all scores are not changed.
  mutating func callAsFunction(_ received: [TrajectoryGroup]) -> [TrajectoryGroup] {
    guard var windows = normalization else { return received }
    var groups = received.sorted { $0.number < $1.number }
    for reward in sum.names {
      let scores = groups.filter(\.isScored).flatMap { $0.trajectories.flatMap(\.scores) }
      windows.append(scores.filter { $0.reward == reward }.compactMap(\.value), of: reward)
    }
    normalization = windows
    for index in groups.indices where groups[index].isScored {
      for member in groups[index].trajectories.indices {
        groups[index].trajectories[member].denseRewards = denseRewards(groups[index].trajectories[member], windows)
      }
    }
    return groups
  }

  /// The number of requested scores of rewards with a weight, including missing ones. A picture that the trajectories
  /// of a group share is scored, and counted, once.
  ///
  /// - Parameter branchStep: the step up to which the trajectories of a group share all states.
  func queries(_ groups: [TrajectoryGroup], branchStep: (_ epoch: Int) -> Int) -> Int {
    groups.reduce(0) { count, group in
      let shared = branchStep(group.epoch)
      let asked = group.trajectories.flatMap(\.scores).filter { sum.names.contains($0.reward) }
      let ofShared = Set(asked.filter { $0.step <= shared }.map { [$0.reward, String($0.step)] })
      return count + ofShared.count + asked.count { $0.step > shared }
    }
  }

  private func denseRewards(_ trajectory: Trajectory, _ windows: RewardNormalization) -> [Float] {
    let totals = sum.byStep(trajectory.scores) { windows.normalized([$0], of: $1)[0] }
    let scoring = TrajectoryScoring(
      cleanStates: trajectory.cleanStates, anchor: trajectory.anchorStep,
      scoredSteps: Set(trajectory.scores.map(\.step)))
    return scoring.rewards(scores: totals) ?? []
  }
}

extension EpochBatch {
  /// Mean and population standard deviation of the scores of the last clean states for each reward, including shadow
  /// rewards, and the number of missing scores.
  var rewardMetrics: [String: Double] {
    var metrics: [String: Double] = [:]
    let last = trajectories.flatMap { trajectory in trajectory.scores.filter { $0.step == trajectory.stepCount - 1 } }
    for (reward, scores) in Dictionary(grouping: last, by: \.reward) {
      let values = scores.compactMap(\.value)
      metrics["reward/\(reward)/missing"] = Double(scores.count - values.count)
      guard !values.isEmpty else { continue }
      let moments = Moments(values)
      metrics["reward/\(reward)/mean"] = moments.mean
      metrics["reward/\(reward)/std"] = moments.std
    }
    return metrics
  }
}
