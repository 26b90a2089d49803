// Soft Q-based Diffusion Finetuning (SQDF), arXiv 2512.04559, with the conventions of its published code: off-policy,
// one reparameterised step from a stored state, a training-free estimate of the soft Q-function, and a divergence from
// the frozen reference.

internal import Diffusion
package import Engine

/// The method SQDF.
package struct SQDF: RewardGradientAlgorithm {
  package static let name = "sqdf"

  package let sampling: ReplaySampling
  package let startSteps: Range<Int>
  package let discount: Float
  private let options: GradientOptions
  private let steps: Int

  package init(_ options: AlgorithmOptions) throws {
    let gradient = options.gradient
    guard gradient.divergenceWeight >= 0, gradient.divergenceWeight.isFinite else {
      throw AlgorithmError("gradient.divergenceWeight: expected 0 or more, found \(gradient.divergenceWeight)")
    }
    if case .steps(let count) = gradient.estimate, count < 1 {
      throw AlgorithmError("gradient.estimateSteps: expected at least 1, found \(count)")
    }
    sampling = gradient.sampling
    startSteps = 0..<options.steps - (options.finalStep ? 0 : 1)
    discount = options.discount
    steps = options.steps
    self.options = gradient
  }

  /// SQDF's loss.
  ///
  ///     L = mean( -(γ^(T-1-i) r(x̂0(x_(i+1))) - α KL_i) ),  x_(i+1) = μ(x_i) + σ ε,  KL_i = mean((μ_ref - μ)²) / σ²
  ///
  /// x̂0 is the chosen estimate, x_(i+1) itself after the last step. With masking, samples with r <= 0 add nothing.
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    let (next, _, divergence) = models.step(
      rollout.states, steps: rollout.steps, conditioning: rollout.conditioning, noise: noise(rollout.states.shape))
    let clean = models.cleanEstimate(
      options.estimate, next, steps: rollout.steps.map { $0 + 1 }, conditioning: rollout.conditioning)
    let rewards = try models.reward(clean, rollout.prompts, rollout.conditioning)
    return meanObjective(
      rewards: rewards, weights: discounts(rollout.steps), divergences: divergence,
      divergenceWeight: options.divergenceWeight, masksNonPositive: options.masksNonPositive)
  }

  /// γ^(T-1-i), one a step.
  private func discounts(_ indices: [Int]) -> [Float] {
    indices.map { index in (0..<steps - 1 - index).reduce(1) { power, _ in power * discount } }
  }
}
