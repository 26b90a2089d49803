// LaSRO, arXiv 2411.15247: fine-tunes one- and two-step models with a learned surrogate of the reward on latents. This
// file has the loss of the policy and the ranking loss of the surrogate; the surrogate itself is `LatentSurrogate`.

internal import Diffusion
package import Engine
package import Settings

package struct LaSRO: RewardGradientAlgorithm {
  package let name = MethodName.lasro

  package let startSteps = 0..<1
  private let secondStepShare: Float

  package init(_ settings: MethodSettings) { secondStepShare = settings.lasro.secondStepShare }

  /// The loss of the policy: mean(-R_ψ(x̂0)), with the gradient through the last of at most two steps.
  ///
  /// Some of the samples take one step, from the initial noise. The others take a second one: noise is added to the
  /// first clean state, a constant, at a random timestep below the first one instead of the one that sampling uses, so
  /// that the policy also sees states that it does not reach itself (off-policy exploration).
  package func objective(
    _ rollout: Rollout, _ models: RolloutModels, noise: (_ shape: [Int]) -> Tensor, random: inout RandomStream
  ) throws -> (loss: Tensor, metrics: ObjectiveMetrics) {
    let first = models.process.timesteps[0]
    let seconds = rollout.steps.map { _ in random.uniform() < secondStepShare }
    let drawn = rollout.steps.map { _ in 1 + random.integer(below: max(first - 1, 1)) }
    let timesteps = zip(seconds, drawn).map { $0 ? $1 : first }
    let noised = models.process.schedule.noised(
      rollout.cleanStates, noise: noise(rollout.cleanStates.shape), timesteps: drawn)
    let count = seconds.count
    let states = Tensor.concatenated([rollout.states, noised], axis: 0)
      .rows(seconds.enumerated().map { $1 ? count + $0 : $0 }).detached
    let clean = models.cleanState(states, timesteps: timesteps, conditioning: rollout.conditioning)
    return meanObjective(rewards: try models.reward(clean, rollout.prompts, rollout.conditioning))
  }

  /// The Bradley-Terry ranking loss mean(-log σ(R(preferred) - R(rejected))) of the surrogate's values, `[P]` each, and
  /// the fraction of the pairs that are ranked correctly.
  package static func rankingLoss(preferred: Tensor, rejected: Tensor) -> (loss: Tensor, accuracy: Float) {
    let margins = preferred - rejected
    let right = margins.values.filter { $0 > 0 }.count
    return (-margins.logSigmoid().mean(), Float(right) / Float(max(margins.count, 1)))
  }
}
