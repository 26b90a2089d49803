// Methods that learn by a reward's gradient: from states of stored trajectories a few steps are taken again under the
// policy, with its gradient, and the reward of where they lead is differentiated.

package import Diffusion
package import Engine
package import Settings

/// States to start from, of B samples.
package struct Rollout {
  /// The stored noisy states x_i, `[B, C, H, W]`.
  package let states: Tensor
  /// The clean states that were predicted from them when they were sampled, `[B, C, H, W]`.
  package let cleanStates: Tensor
  /// Their step indices i, B of them, 0 the noisiest.
  package let steps: [Int]
  /// The prompts, B of them.
  package let prompts: [String]
  /// Their text states.
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

/// The networks and the reward that a method differentiates through.
package struct RolloutModels {
  /// The steps that are sampled.
  package let process: DDIM
  /// The network under training.
  package let policy: Denoiser
  /// The same network before training, frozen.
  package let reference: Denoiser
  /// A consistency model of the same latents, frozen, where there is one; as many steps as `process`, as in SQDF's
  /// published code.
  package let consistency: (lcm: LCM, denoiser: Denoiser)?
  /// Scores of clean states `[B, C, H, W]`, differentiable, `[B]`; NaN where one is missing.
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

  /// One reparameterised step of the policy, and how far its mean is from the reference's.
  ///
  /// - Parameters:
  ///   - states: x_i, `[B, C, H, W]`.
  ///   - steps: i, one a sample.
  ///   - noise: standard normal, `[B, C, H, W]`.
  ///   - differentiatesReference: off: the divergence is told, not followed through the reference.
  /// - Returns: x_(i+1) = μ + σ noise and x̂0 `[B, C, H, W]`; the divergence mean((μ_ref - μ)²) / σ², `[B]`, without
  ///   the ½ of a Gaussian's, as SQDF's code has it.
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

  /// The clean state that the policy predicts, `[B, C, H, W]`.
  ///
  /// - Parameter timesteps: training timesteps, one a sample.
  package func cleanState(_ states: Tensor, timesteps: [Int], conditioning: Conditioning) -> Tensor {
    process.schedule.cleanAndNoise(
      output: conditioning.output(of: policy, sample: states, timesteps: timesteps), sample: states,
      timesteps: timesteps
    ).clean
  }
}

/// What an objective says beside its value.
package struct ObjectiveMetrics: Sendable, Equatable {
  /// The value that is minimised.
  package var loss: Float
  /// Rewards, one a sample; without those that are missing.
  package var rewards: [Float]
  /// Divergences from the reference, one a sample; empty where the method does not ask.
  package var divergences: [Float]
  /// Samples that did not take part, because their score is missing.
  package var missing: Int
  /// Samples that did not take part, because their reward is not positive.
  package var masked: Int

  /// Moments of what an objective saw.
  package init(loss: Float, rewards: [Float], divergences: [Float] = [], missing: Int = 0, masked: Int = 0) {
    self.loss = loss
    self.rewards = rewards
    self.divergences = divergences
    self.missing = missing
    self.masked = masked
  }
}

/// A method that learns by a reward's gradient.
package protocol RewardGradientAlgorithm: Algorithm {
  /// How its starting states are drawn.
  var sampling: ReplaySampling { get }
  /// Steps that its starting states are drawn from.
  var startSteps: Range<Int> { get }
  /// γ of the reward-and-γ priorities.
  var discount: Float { get }

  /// The scalar to minimise, and what it says about the policy.
  ///
  /// - Parameter noise: fresh standard normal numbers of a shape, a call a tensor.
  /// - Throws: what the reward throws.
  func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics)
}

extension RewardGradientAlgorithm {
  /// The last score is the reward by which trajectories are drawn.
  package var scoring: Scoring { .final }
}

/// Mean of terms over the samples whose reward is there: `-(weights · reward - α divergence)`.
///
/// - Parameters:
///   - rewards: `[B]`, NaN where a score is missing; a missing sample counts neither in the sum nor in the number.
///   - weights: factors of the rewards, one a sample; nil: 1.
///   - divergences: `[B]`; nil: none.
///   - masksNonPositive: a sample whose reward is not positive adds 0, its divergence too, and counts in the number.
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
