// diffusers' UNet2DConditionModel: the denoiser of Stable Diffusion 1 and 2, SD-Turbo and the embedded model.

package import Engine
package import Foundation
package import Layers

package final class UNet2DCondition {
  package let configuration: UNetConfiguration
  package let parameters: [Parameter]
  /// Gradient checkpointing: training recomputes each unit (a resnet and its attention) for its gradient instead of
  /// keeping the activations inside. This takes a third more time and a fraction of the memory; gradients are the same
  /// to the bit.
  package var usesGradientCheckpointing = false
  private let convIn, convOut: Conv2d
  private let time1, time2: Linear
  private let down: [DownBlock]
  private let mid: MidBlock
  private let up: [UpBlock]
  private let normOut: GroupNorm

  package init(_ c: UNetConfiguration, from source: ParameterSource) throws {
    let path = source.root
    configuration = c
    let channels = c.blockOutChannels
    let last = channels.count - 1
    let timeWidth = 4 * channels[0]
    convIn = try Conv2d(path["conv_in"], in: c.inChannels, out: channels[0], kernel: c.convInKernel)
    time1 = try Linear(path["time_embedding"]["linear_1"], in: channels[0], out: timeWidth)
    time2 = try Linear(path["time_embedding"]["linear_2"], in: timeWidth, out: timeWidth)
    down = try channels.indices.map { i in
      try DownBlock(path["down_blocks"][i], index: i, in: channels[max(0, i - 1)], out: channels[i], c)
    }
    mid = try MidBlock(path["mid_block"], c)
    up = try channels.indices.map { i in
      try UpBlock(
        path["up_blocks"][i], index: last - i, previous: channels[min(last, last - i + 1)], out: channels[last - i],
        skip: channels[max(0, last - i - 1)], type: c.upBlockTypes[i], c)
    }
    normOut = try GroupNorm(path["conv_norm_out"], channels[0], groups: c.normGroups, epsilon: c.normEpsilon)
    convOut = try Conv2d(path["conv_out"], in: channels[0], out: c.outChannels, kernel: c.convOutKernel)
    try source.finish()
    parameters = source.parameters
  }

  /// Loads `config.json` and the weights of a diffusers `unet` folder.
  package convenience init(folder: URL, weights: WeightOrigin = .files) throws {
    let configuration = try UNetConfiguration(ModelConfiguration(file: folder.appending(path: "config.json")))
    try self.init(configuration, from: weights.source(folder: folder, named: "diffusion_pytorch_model"))
  }

  /// A second model with the current weights of another, without its adapter. The models share memory until either is
  /// trained.
  package convenience init(sharingWeightsOf other: UNet2DCondition) throws {
    try self.init(other.configuration, from: ParameterSource(sharing: other.parameters))
  }

  /// The model's output, `[B, C, H, W]`: noise, velocity or sample, as it was trained.
  ///
  /// - Parameters:
  ///   - sample: noisy latents `[B, C, H, W]`.
  ///   - timesteps: training timesteps, B of them.
  ///   - encoderHiddenStates: the hidden states of the texts `[B, S, D]`.
  package func callAsFunction(_ sample: Tensor, timesteps: [Int], encoderHiddenStates: Tensor) -> Tensor {
    check(
      sample.rank == 4 && sample.shape[1] == configuration.inChannels && timesteps.count == sample.shape[0]
        && encoderHiddenStates.shape.first == sample.shape[0]
        && encoderHiddenStates.shape.last == configuration.crossAttentionWidth,
      "UNet: sample \(sample.shape), \(timesteps.count) timesteps, text \(encoderHiddenStates.shape)")
    var (x, skips, condition) = descended(sample, timesteps, encoderHiddenStates)
    for block in up { x = block(x, condition, skips: &skips) }
    return convOut(normOut(x, silu: true)).channelsFirst
  }

  /// The output of the middle block, `[B, h, w, channels]`, with the channels of the last block; arguments as above.
  package func middle(_ sample: Tensor, timesteps: [Int], encoderHiddenStates: Tensor) -> Tensor {
    descended(sample, timesteps, encoderHiddenStates).x
  }

  private func descended(
    _ sample: Tensor, _ timesteps: [Int], _ context: Tensor
  ) -> (x: Tensor, skips: [Tensor], condition: UNetCondition) {
    let time = time2(time1(timeEmbedding(timesteps)).silu()).silu()
    var x = convIn(sample.channelsLast)
    var skips = [x]
    let condition = UNetCondition(time: time, context: context, recomputes: usesGradientCheckpointing)
    for block in down { x = block(x, condition, skips: &skips) }
    return (mid(x, condition), skips, condition)
  }

  /// Sinusoids of the timesteps, as in diffusers' get_timestep_embedding, `[B, channels[0]]`.
  private func timeEmbedding(_ timesteps: [Int]) -> Tensor {
    let width = configuration.blockOutChannels[0], half = width / 2
    var values: [Float] = []
    for t in timesteps {
      let angles = (0..<half).map { i -> Float in
        let exponent = -Foundation.log(Float(10000)) * Float(i) / (Float(half) - configuration.frequencyShift)
        return Float(t) * Foundation.exp(exponent)
      }
      let sines = angles.map { Foundation.sin($0) }, cosines = angles.map { Foundation.cos($0) }
      values += configuration.flipSinToCos ? cosines + sines : sines + cosines
      if width % 2 == 1 { values.append(0) }
    }
    return Tensor(values, shape: [timesteps.count, width])
  }

  /// The attention projections that LoRA adapts, in the order of construction.
  package var attentionProjections: [Linear] {
    (down.flatMap(\.transformers) + mid.transformers + up.flatMap(\.transformers)).flatMap { transformer in
      transformer.blocks.flatMap { $0.selfAttention.projections + $0.crossAttention.projections }
    }
  }
}
