// Reward Feedback Learning (ReFL; Xu et al., arXiv 2304.05977): the gradient of the reward through one prediction of
// the clean state, from a random late step. Here the steps before it are those that an actor took with the same
// policy.

internal import Diffusion
package import Engine
package import Settings

/// Without the pre-training loss that the paper adds to stay close to the model.
package struct ReFL: RewardGradientAlgorithm {
  package let name = MethodName.refl

  package let startSteps: Range<Int>

  package init(_ settings: MethodSettings) {
    startSteps = settings.sampling.steps - settings.gradient.lastSteps..<settings.sampling.steps
  }

  /// The loss mean(-r(x̂0(x_i))), with i drawn from the last steps.
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    let clean = models.cleanState(
      rollout.states, timesteps: rollout.steps.map { models.process.timesteps[$0] }, conditioning: rollout.conditioning)
    return meanObjective(rewards: try models.reward(clean, rollout.prompts, rollout.conditioning))
  }
}
