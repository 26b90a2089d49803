// What is learned of several rewards. Actors add them up as they are; where each is to be normalised by what the run
// has seen of it, only the learner can do it: it sees all scores, and in the order of the groups' numbers, so that it
// makes no difference who made them.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Engine
internal import Messages

/// Dense rewards from the scores that groups carry.
struct LearnedReward {
  private let sum: RewardSum
  /// nil: rewards are learned as they are.
  var normalization: RewardNormalization?

  /// - Throws: `AlgorithmError` when the window is too small.
  init(_ reward: RewardSettings) throws {
    sum = RewardSum(reward.weights)
    normalization = reward.normalizationWindow == 0 ? nil : try RewardNormalization(window: reward.normalizationWindow)
  }

  /// The groups of an epoch, their dense rewards made of normalised scores. Groups that miss one stay as they are.
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

  /// Scores of these rewards that some groups were made with, those that are missing among them. A picture that the
  /// trajectories of a group share counts once: it is scored once.
  ///
  /// - Parameter branchStep: the step up to which the trajectories of an epoch's groups share all states.
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
  /// Mean and population standard deviation of each reward's scores of the last clean states, and how many of these
  /// scores are missing; shadow rewards are included.
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
