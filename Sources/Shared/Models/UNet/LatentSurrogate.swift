// A reward model on latents: the down and middle blocks of a pretrained denoising UNet, and a small head (LaSRO, arXiv
// 2411.15247).

package import Engine
internal import Foundation
internal import Layers

package final class LatentSurrogate {
  private let backbone: UNet2DCondition
  private let reduce, score: Conv2d
  /// The trained weights: those of the head, and of the backbone's down and middle blocks if requested.
  package let parameters: [Parameter]

  private static let headWidth = 32

  /// Starts from the weights of a denoiser, which are not changed by training; the head is new. If `trainsBackbone` is
  /// false, only the head is trained.
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

  /// The scores `[B]` of clean latents, scaled as for diffusion, `[B, C, H, W]`, under the prompts' text states
  /// `[B, S, D]`; differentiable with respect to latents and weights.
  package func callAsFunction(_ latents: Tensor, encoderHiddenStates: Tensor) -> Tensor {
    let features = backbone.middle(
      latents, timesteps: [Int](repeating: 0, count: latents.shape[0]), encoderHiddenStates: encoderHiddenStates)
    return score(reduce(features).silu()).mean(axes: [1, 2, 3])
  }
}
