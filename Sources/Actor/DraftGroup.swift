// A trajectory group before its scores: what is to be scored, and how scores become dense rewards.

internal import Diffusion
package import Messages
package import RewardClient

/// A sampled group that waits for its scores.
package struct DraftGroup: Sendable {
  /// The group without scores and dense rewards.
  private(set) var group: TrajectoryGroup
  /// What of each trajectory is scored.
  let scorings: [TrajectoryScoring]
  /// The clean states to be scored, trajectory after trajectory, steps ascending within each.
  package let images: ImageBatch

  init(group: TrajectoryGroup, scorings: [TrajectoryScoring], images: ImageBatch) {
    self.group = group
    self.scorings = scorings
    self.images = images
  }

  /// Asks for all scores.
  func request(rewards: [String]) -> ScoreRequest {
    ScoreRequest(
      id: 0, rewards: rewards, prompts: [String](repeating: group.prompt, count: images.count), images: .bytes(images),
      deadline: 0,
      places: scorings.enumerated().flatMap { trajectory, scoring in
        scoring.scoredSteps.map { GroupPlace(trajectory: trajectory, step: $0) }
      })
  }

  /// The group with the scores that came. A trajectory with a missing one has no dense rewards: missing is not zero.
  /// Scores outside the sum are kept beside it, and may be missing.
  ///
  /// - Parameter sum: what is learned.
  package func scored(by reply: ScoreReply, sum: RewardSum) -> TrajectoryGroup {
    var result = group
    var image = 0
    for index in result.trajectories.indices {
      let scoring = scorings[index]
      var totals: [Int: Float] = [:]
      for step in scoring.scoredSteps {
        let scores = reply.results.map { result in
          Score(
            step: step, reward: result.reward, version: result.version,
            value: result.values.indices.contains(image) ? result.values[image] : nil)
        }
        result.trajectories[index].scores += scores
        totals[step] = sum(
          Dictionary(uniqueKeysWithValues: scores.compactMap { score in score.value.map { (score.reward, $0) } }))
        image += 1
      }
      let dense = scoring.rewards(scores: totals) ?? []
      result.trajectories[index].denseRewards = dense.allSatisfy(\.isFinite) ? dense : []
    }
    return result
  }
}
