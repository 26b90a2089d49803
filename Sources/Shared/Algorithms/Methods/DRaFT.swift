// Direct Reward Fine-Tuning (DRaFT), arXiv 2309.17400: the reward's gradient through the last K steps (DRaFT-K), and
// with several noise samples per final state to lower its variance (DRaFT-LV). Here the steps before the last K are
// those that an actor took with the same policy.

internal import Diffusion
package import Engine
package import Settings

/// The methods DRaFT-K and DRaFT + KL, which adds a penalty on the divergence from the reference.
package struct DRaFT: RewardGradientAlgorithm {
  package let name: MethodName
  package let startSteps: Range<Int>
  private let steps: Int
  private let divergenceWeight: Float

  package init(_ settings: MethodSettings) {
    name = settings.training.algorithm
    steps = settings.sampling.steps
    let first = steps - settings.gradient.differentiatedSteps
    startSteps = first..<first + 1
    divergenceWeight = name == .draftKL ? settings.gradient.divergenceWeight : 0
  }

  ///     L = mean( -(r(x̂0) - α Σ KL_i) )
  ///
  /// x̂0 is the clean state of the last of K reparameterized steps; KL_i is that of SQDF, summed over all K steps; α =
  /// 0 for DRaFT-K.
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    var x = rollout.states, clean = x
    var divergence = Tensor.zeros([rollout.steps.count])
    for step in startSteps.lowerBound..<steps {
      let taken = models.step(
        x, steps: rollout.steps.map { _ in step }, conditioning: rollout.conditioning, noise: noise(x.shape),
        differentiatesReference: divergenceWeight > 0)
      (x, clean) = (taken.next, taken.clean)
      divergence = divergence + taken.divergence
    }
    return meanObjective(
      rewards: try models.reward(clean, rollout.prompts, rollout.conditioning), divergences: divergence,
      divergenceWeight: divergenceWeight)
  }
}

/// The method DRaFT-LV.
package struct DRaFTLowVariance: RewardGradientAlgorithm {
  package let name = MethodName.draftLV
  package let startSteps: Range<Int>
  private let noiseSamples: Int

  package init(_ settings: MethodSettings) {
    noiseSamples = settings.gradient.noiseSamples
    startSteps = settings.sampling.steps - 1..<settings.sampling.steps
  }

  ///     L = mean over n noise samples ε of -r(x̂0(√ᾱ x0 + √(1-ᾱ) ε))
  ///
  /// x0 is the final clean state, a constant; ᾱ is that of the last step.
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    let timesteps = rollout.steps.map { models.process.timesteps[$0] }
    let rewards = try (0..<noiseSamples).map { _ in
      let x = models.process.schedule.noised(
        rollout.cleanStates, noise: noise(rollout.cleanStates.shape), timesteps: timesteps)
      return try models.reward(
        models.cleanState(x, timesteps: timesteps, conditioning: rollout.conditioning), rollout.prompts,
        rollout.conditioning)
    }
    return meanObjective(rewards: Tensor.concatenated(rewards, axis: 0))
  }
}
