// A reward learned on latents: the way down of a denoising UNet, as its pre-training left it, and a small head (LaSRO,
// arXiv 2411.15247).

package import Engine
internal import Foundation
internal import Layers

/// A scalar of clean latents and a prompt.
package final class LatentSurrogate {
  private let backbone: UNet2DCondition
  private let reduce, score: Conv2d
  /// The weights that are trained: of the head, and of the backbone's way down and middle where asked for.
  package let parameters: [Parameter]

  /// Width of the head.
  private static let headWidth = 32

  /// Starts from a denoiser's weights, which stay its own; the head is new.
  ///
  /// - Parameter trainsBackbone: off: the head alone is trained.
  /// - Throws: never for a complete denoiser.
  package init(sharingWeightsOf unet: UNet2DCondition, trainsBackbone: Bool, random: RandomStream) throws {
    backbone = try UNet2DCondition(sharingWeightsOf: unet)
    let source = ParameterSource(random: random), channels = unet.configuration.blockOutChannels
    reduce = try Conv2d(
      source.root["surrogate"]["reduce"], in: channels[channels.count - 1], out: Self.headWidth, kernel: 3)
    score = try Conv2d(source.root["surrogate"]["score"], in: Self.headWidth, out: 1, kernel: 1)
    let ways = ["conv_in.", "time_embedding.", "down_blocks.", "mid_block."]
    parameters =
      source.parameters
      + (trainsBackbone ? backbone.parameters.filter { weight in ways.contains { weight.name.hasPrefix($0) } } : [])
    for parameter in parameters { parameter.isTrainable = true }
  }

  /// The surrogate's values, `[B]`; differentiable in latents and weights.
  ///
  /// - Parameters:
  ///   - latents: clean, scaled as diffusion has them, `[B, C, H, W]`.
  ///   - encoderHiddenStates: the prompts' text states, `[B, S, D]`.
  package func callAsFunction(_ latents: Tensor, encoderHiddenStates: Tensor) -> Tensor {
    let features = backbone.middle(
      latents, timesteps: [Int](repeating: 0, count: latents.shape[0]), encoderHiddenStates: encoderHiddenStates)
    return score(reduce(features).silu()).mean(axes: [1, 2, 3])
  }
}
