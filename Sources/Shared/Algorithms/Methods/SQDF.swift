// Soft Q-based Diffusion Finetuning (SQDF), arXiv 2512.04559, with the conventions of its published code: off-policy,
// one reparameterized step from a stored state, a training-free estimate of the soft Q-function, and a divergence from
// the frozen reference.

internal import Diffusion
package import Engine
package import Settings

package struct SQDF: RewardGradientAlgorithm {
  package let name = MethodName.sqdf

  package let sampling: ReplaySampling
  package let startSteps: Range<Int>
  package let discount: Float
  private let settings: GradientSettings
  private let steps: Int

  package init(_ settings: MethodSettings) {
    self.settings = settings.gradient
    sampling = settings.gradient.sampling
    startSteps = trainedSteps(of: settings.sampling.steps, finalStep: settings.training.finalStep)
    discount = settings.training.discount
    steps = settings.sampling.steps
  }

  ///     L = mean( -(γ^(T-1-i) r(x̂0(x_(i+1))) - α KL_i) ),  x_(i+1) = μ(x_i) + σ ε,  KL_i = mean((μ_ref - μ)²) / σ²
  ///
  /// x̂0 is the chosen estimate, or x_(i+1) itself after the last step. With masking, samples with r <= 0 add nothing.
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    let (next, _, divergence) = models.step(
      rollout.states, steps: rollout.steps, conditioning: rollout.conditioning, noise: noise(rollout.states.shape))
    let clean = models.cleanEstimate(
      settings, next, steps: rollout.steps.map { $0 + 1 }, conditioning: rollout.conditioning)
    let rewards = try models.reward(clean, rollout.prompts, rollout.conditioning)
    return meanObjective(
      rewards: rewards, weights: discounts(rollout.steps), divergences: divergence,
      divergenceWeight: settings.divergenceWeight, masksNonPositive: settings.masksNonPositive)
  }

  /// γ^(T-1-i), one per step.
  private func discounts(_ indices: [Int]) -> [Float] {
    indices.map { index in (0..<steps - 1 - index).reduce(1) { power, _ in power * discount } }
  }
}
