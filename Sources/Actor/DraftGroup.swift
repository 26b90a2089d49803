// A trajectory group before its scores: what is to be scored, and how scores become dense rewards.

internal import Diffusion
package import Messages

/// A sampled group that waits for its scores.
package struct DraftGroup: Sendable {
  /// The group without scores and dense rewards.
  private(set) var group: TrajectoryGroup
  /// Similarities of each trajectory's clean states.
  let similarities: [LatentSimilarity]
  /// The clean states to be scored, trajectory after trajectory, steps ascending within each.
  package let images: ImageBatch

  init(group: TrajectoryGroup, similarities: [LatentSimilarity], images: ImageBatch) {
    self.group = group
    self.similarities = similarities
    self.images = images
  }

  /// Asks for all scores.
  func request(rewards: [String]) -> ScoreRequest {
    ScoreRequest(
      id: 0, rewards: rewards, prompts: [String](repeating: group.prompt, count: images.count), images: .bytes(images),
      deadline: 0,
      places: similarities.enumerated().flatMap { trajectory, similarity in
        similarity.scoredSteps.map { GroupPlace(trajectory: trajectory, step: $0) }
      })
  }

  /// The group with the scores that came. A trajectory with a missing one has no dense rewards: missing is not zero.
  ///
  /// - Parameter rewards: names and weights of the sum that is learned.
  package func scored(by reply: ScoreReply, rewards: [(name: String, weight: Float)]) -> TrajectoryGroup {
    var result = group
    var image = 0
    for index in result.trajectories.indices {
      let similarity = similarities[index]
      var totals: [Int: Float] = [:]
      for step in similarity.scoredSteps {
        let scores = rewards.map { reward in
          let found = reply.results.first { $0.reward == reward.name }
          let value = found.flatMap { $0.values.indices.contains(image) ? $0.values[image] : nil }
          return Score(step: step, reward: reward.name, version: found?.version ?? "", value: value)
        }
        result.trajectories[index].scores += scores
        let values = scores.compactMap(\.value)
        if values.count == rewards.count {
          totals[step] = zip(rewards, values).reduce(0) { $0 + $1.0.weight * $1.1 }
        }
        image += 1
      }
      let dense = similarity.denseRewards(scores: totals) ?? []
      result.trajectories[index].denseRewards = dense.allSatisfy(\.isFinite) ? dense : []
    }
    return result
  }
}
