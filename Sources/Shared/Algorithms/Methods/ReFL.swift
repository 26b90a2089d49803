// Reward Feedback Learning (ReFL; Xu et al., arXiv 2304.05977): the reward's gradient through one prediction of the
// clean state, from a late step drawn at random. Here the steps before it are those that an actor took with the same
// policy.

internal import Diffusion
package import Engine

/// The method ReFL, without the pre-training loss that the paper adds to keep the model.
package struct ReFL: RewardGradientAlgorithm {
  package static let name = "refl"

  package let sampling = ReplaySampling.onPolicy
  package let startSteps: Range<Int>
  package let discount: Float = 1

  package init(_ options: AlgorithmOptions) throws {
    let count = options.gradient.lateSteps
    guard (1...options.steps).contains(count) else {
      throw AlgorithmError("gradient.lateSteps: expected 1 to sampling.steps (\(options.steps)), found \(count)")
    }
    startSteps = options.steps - count..<options.steps
  }

  /// The loss mean(-r(x̂0(x_i))), i drawn among the last steps.
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    let clean = models.cleanState(
      rollout.states, timesteps: rollout.steps.map { models.process.timesteps[$0] }, conditioning: rollout.conditioning)
    return meanObjective(rewards: try models.reward(clean, rollout.prompts, rollout.conditioning))
  }
}
