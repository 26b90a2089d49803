// How far a policy is from the model that it was trained from, along its own trajectories.

import Diffusion
import Engine
import Models

/// Adds up, step by step, the divergence of a policy from the model without its adapter.
///
///     KL_i = mean((μ_ref - μ)²) / (2σ²)
///
/// of the Gaussians of step i, a latent element; both means are predicted from the state that the policy's own steps
/// led to. The sum over the steps is the divergence of the trajectories' distributions, a latent element.
final class PolicyDivergence {
  private let reference: UNet2DCondition
  private let process: DDIM
  private var sums: [Double]
  private var counts: [Int]

  /// - Throws: when the network cannot be made a second time over the same weights.
  init(_ model: TextToImageModel, _ process: DDIM) throws {
    reference = try UNet2DCondition(sharingWeightsOf: model.unet)
    self.process = process
    sums = process.timesteps.map { _ in 0 }
    counts = process.timesteps.map { _ in 0 }
  }

  /// Takes one step of some samples.
  ///
  /// - Parameters:
  ///   - state: where it began, `[B, C, H, W]`.
  ///   - mean: the policy's μ, `[B, C, H, W]`.
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

  /// Means over all samples so far, one a step; 0 for a step that nobody took.
  var means: [Double] { zip(sums, counts).map { $0 / Double(max($1, 1)) } }
}
