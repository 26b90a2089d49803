// The distance of a policy from the model that it was trained from, along its own trajectories.

import Diffusion
import Engine
import Models

/// The divergence of a policy from the model without its adapter, for each step.
///
///     KL_i = mean((μ_ref - μ)²) / (2σ²)
///
/// of the Gaussians of step i, per latent element. Both means are predicted from the state that the policy reached. The
/// sum over the steps is the divergence of the distributions of trajectories, per latent element.
final class PolicyDivergence {
  private let reference: UNet2DCondition
  private let process: DDIM
  private var sums: [Double]
  private var counts: [Int]

  init(_ model: TextToImageModel, _ process: DDIM) throws {
    reference = try UNet2DCondition(sharingWeightsOf: model.unet)
    self.process = process
    sums = process.timesteps.map { _ in 0 }
    counts = process.timesteps.map { _ in 0 }
  }

  /// Adds one step of some samples.
  ///
  /// - Parameters:
  ///   - state: the state before the step, `[B, C, H, W]`.
  ///   - mean: μ of the policy, `[B, C, H, W]`.
  func add(step: Int, from state: Tensor, mean: Tensor, _ conditioning: Conditioning) {
    let count = state.shape[0], timestep = process.timesteps[step]
    let all = [Int](repeating: timestep, count: count)
    let output = conditioning.output(
      of: { [reference] in reference($0, timesteps: $1, encoderHiddenStates: $2) }, sample: state, timesteps: all)
    let expected = process.distribution(output: output, sample: state, timesteps: all).mean
    let sigma = Double(process.sigma(at: timestep)), squares = Double((expected - mean).squared().mean().item)
    sums[step] += Double(count) * squares / (2 * sigma * sigma)
    counts[step] += count
  }

  /// Mean over all samples for each step; 0 for a step without samples.
  var means: [Double] { zip(sums, counts).map { $0 / Double(max($1, 1)) } }
}
