// Reward-gradient methods: starting from states of stored trajectories, a few steps are taken again with the policy and
// its gradient, and the reward of the resulting clean states is differentiated.

package import Diffusion
package import Engine
package import Settings

/// The starting states of B samples.
package struct Rollout {
  /// The stored noisy states x_i, `[B, C, H, W]`.
  package let states: Tensor
  /// The clean states that were predicted from them during sampling, `[B, C, H, W]`.
  package let cleanStates: Tensor
  /// Their step indices i, B of them; 0 is the noisiest.
  package let steps: [Int]
  /// B of them.
  package let prompts: [String]
  package let conditioning: Conditioning

  package init(states: Tensor, cleanStates: Tensor, steps: [Int], prompts: [String], conditioning: Conditioning) {
    check(
      states.shape == cleanStates.shape && states.shape[0] == steps.count && steps.count == prompts.count,
      "Rollout: states \(states.shape), clean states \(cleanStates.shape), \(steps.count) steps, "
        + "\(prompts.count) prompts")
    self.states = states
    self.cleanStates = cleanStates
    self.steps = steps
    self.prompts = prompts
    self.conditioning = conditioning
  }
}

/// The networks and the reward that a method differentiates.
package struct RolloutModels {
  package let process: DDIM
  /// The network under training.
  package let policy: Denoiser
  /// The same network before training, frozen.
  package let reference: Denoiser
  /// A frozen consistency model for the same latents, if there is one; with as many steps as `process`, as in SQDF's
  /// published code.
  package let consistency: (lcm: LCM, denoiser: Denoiser)?
  /// Differentiable scores `[B]` of clean states `[B, C, H, W]`; NaN where a score is missing.
  package let reward: (_ cleanStates: Tensor, _ prompts: [String], _ conditioning: Conditioning) throws -> Tensor

  package init(
    process: DDIM, policy: @escaping Denoiser, reference: @escaping Denoiser,
    consistency: (lcm: LCM, denoiser: Denoiser)?,
    reward: @escaping (_ cleanStates: Tensor, _ prompts: [String], _ conditioning: Conditioning) throws -> Tensor
  ) {
    self.process = process
    self.policy = policy
    self.reference = reference
    self.consistency = consistency
    self.reward = reward
  }

  /// One reparameterized step of the policy, and the divergence from the reference.
  ///
  /// - Parameters:
  ///   - states: x_i, `[B, C, H, W]`.
  ///   - steps: i, one per sample.
  ///   - noise: standard normal, `[B, C, H, W]`.
  ///   - differentiatesReference: if false, no gradient flows through the input of the reference.
  /// - Returns: x_(i+1) = μ + σ noise and x̂0, `[B, C, H, W]`; the divergence mean((μ_ref - μ)²) / σ², `[B]`, without
  ///   the factor ½ of Gaussians, as in SQDF's code.
  package func step(
    _ states: Tensor, steps: [Int], conditioning: Conditioning, noise: Tensor,
    differentiatesReference: Bool = true
  ) -> (next: Tensor, clean: Tensor, divergence: Tensor) {
    let timesteps = steps.map { process.timesteps[$0] }
    let (mean, sigma, clean) = process.distribution(
      output: conditioning.output(of: policy, sample: states, timesteps: timesteps), sample: states,
      timesteps: timesteps)
    let from = differentiatesReference ? states : states.detached
    let (reference, _, _) = process.distribution(
      output: conditioning.output(of: self.reference, sample: from, timesteps: timesteps), sample: from,
      timesteps: timesteps)
    let squares = (reference - mean).squared().mean(axes: Array(1..<states.rank))
    return (mean + sigma * noise, clean, squares / sigma.squared().reshaped([steps.count]))
  }

  /// The clean state that the policy predicts at one training timestep per sample, `[B, C, H, W]`.
  package func cleanState(_ states: Tensor, timesteps: [Int], conditioning: Conditioning) -> Tensor {
    process.schedule.cleanAndNoise(
      output: conditioning.output(of: policy, sample: states, timesteps: timesteps), sample: states,
      timesteps: timesteps
    ).clean
  }
}

package struct ObjectiveMetrics: Sendable, Equatable {
  /// The value that is minimized.
  package var loss: Float
  /// Rewards, one per sample, without the missing ones.
  package var rewards: [Float]
  /// Divergences from the reference, one per sample; empty for methods that do not compute them.
  package var divergences: [Float] = []
  /// Samples that were left out because their score is missing.
  package var missing = 0
  /// Samples that were left out because their reward is not positive.
  package var masked = 0
}

package protocol RewardGradientAlgorithm: Algorithm {
  /// How starting states are drawn.
  var sampling: ReplaySampling { get }
  /// The steps from which starting states are drawn.
  var startSteps: Range<Int> { get }
  /// γ of the priorities by reward and γ.
  var discount: Float { get }

  /// The scalar to minimize, and its measurements. `noise` returns new standard normal numbers with every call.
  func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics)
}

extension RewardGradientAlgorithm {
  /// Trajectories are drawn by the score of the last clean state.
  package var scoring: Scoring { .final }
  package var sampling: ReplaySampling { .onPolicy }
  package var discount: Float { 1 }
}

/// The mean of `-(weights · reward - α divergence)` over the samples that have a reward.
///
/// - Parameters:
///   - rewards: `[B]`, NaN where a score is missing; such a sample counts neither in the sum nor in the number.
///   - weights: factors of the rewards, one per sample; nil means 1.
///   - divergences: `[B]`, or nil.
///   - masksNonPositive: a sample whose reward is not positive adds 0, without its divergence, but counts in the
///     number.
func meanObjective(
  rewards: Tensor, weights: [Float]? = nil, divergences: Tensor? = nil, divergenceWeight: Float = 0,
  masksNonPositive: Bool = false
) -> (loss: Tensor, metrics: ObjectiveMetrics) {
  let values = rewards.values
  let present = values.indices.filter { values[$0].isFinite }
  let found = present.map { values[$0] }
  let taken = masksNonPositive ? present.filter { values[$0] > 0 } : present
  let given = divergences.map { tensor in present.map { tensor.values[$0] } } ?? []
  guard !taken.isEmpty else {
    return (
      Tensor(0),
      ObjectiveMetrics(
        loss: 0, rewards: found, divergences: given, missing: values.count - present.count, masked: present.count)
    )
  }
  var terms = rewards.rows(taken)
  if let weights { terms = terms * Tensor(taken.map { weights[$0] }, shape: [taken.count]) }
  if let divergences { terms = terms - divergenceWeight * divergences.rows(taken) }
  let loss = -(terms.sum() / Float(present.count))
  return (
    loss,
    ObjectiveMetrics(
      loss: loss.item, rewards: found, divergences: given, missing: values.count - present.count,
      masked: present.count - taken.count)
  )
}
