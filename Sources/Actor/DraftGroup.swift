// A trajectory group without scores: the pictures to score, and the conversion of scores to dense rewards.

internal import Diffusion
package import Messages

/// A sampled group whose scores are not yet known.
package struct DraftGroup: Sendable {
  private(set) var group: TrajectoryGroup
  let scorings: [TrajectoryScoring]
  /// The decoded clean states to score, ordered by trajectory and then by step.
  package let images: ImageBatch

  init(group: TrajectoryGroup, scorings: [TrajectoryScoring], images: ImageBatch) {
    (self.group, self.scorings, self.images) = (group, scorings, images)
  }

  func request(rewards: [String]) -> ScoreRequest {
    ScoreRequest(
      id: 0, rewards: rewards, prompts: [String](repeating: group.prompt, count: images.count), images: .bytes(images),
      deadline: 0,
      positions: scorings.enumerated().flatMap { trajectory, scoring in
        scoring.scoredSteps.map { GroupPosition(trajectory: trajectory, step: $0) }
      })
  }

  /// The group with the scores of a reply. A trajectory with a missing score of the sum has no dense rewards. Scores
  /// outside of the sum are stored too, and may be missing.
  package func scored(by reply: ScoreReply, sum: RewardSum) -> TrajectoryGroup {
    var result = group
    var image = 0
    for index in result.trajectories.indices {
      let scoring = scorings[index]
      for step in scoring.scoredSteps {
        result.trajectories[index].scores += reply.results.map { result in
          Score(
            step: step, reward: result.reward, version: result.version,
            value: result.values.indices.contains(image) ? result.values[image] : nil)
        }
        image += 1
      }
      let totals = sum.byStep(result.trajectories[index].scores)
      result.trajectories[index].denseRewards = scoring.rewards(scores: totals) ?? []
    }
    return result
  }
}
