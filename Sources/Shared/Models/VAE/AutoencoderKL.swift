// diffusers' AutoencoderKL: images to latents and back.

package import Engine
package import Foundation
package import Layers

/// The values of AutoencoderKL's config.json that change the numbers.
package struct AutoencoderConfiguration: Sendable {
  package let inChannels, outChannels, latentChannels, layersPerBlock, normGroups, sampleSize: Int
  package let blockOutChannels: [Int]
  package let midBlockAttention, quantConv, postQuantConv: Bool
  /// Latents are multiplied by this before diffusion.
  package let scalingFactor: Float

  /// - Throws: `ModelConfigurationError` naming the first value that is missing or not supported.
  package init(_ c: ModelConfiguration) throws {
    try c.require("_class_name", oneOf: .string("AutoencoderKL"))
    try c.require("act_fn", oneOf: .string("silu"), .string("swish"))
    for key in ["shift_factor", "latents_mean", "latents_std"] { try c.require(key, oneOf: .null) }
    try c.refuseUnknown(besides: [
      "act_fn", "in_channels", "out_channels", "latent_channels", "layers_per_block", "norm_num_groups", "sample_size",
      "block_out_channels", "down_block_types", "up_block_types", "mid_block_add_attention", "use_quant_conv",
      "use_post_quant_conv", "scaling_factor", "force_upcast",
    ])
    inChannels = try c.integer("in_channels", 3)
    outChannels = try c.integer("out_channels", 3)
    latentChannels = try c.integer("latent_channels", 4)
    layersPerBlock = try c.integer("layers_per_block", 1)
    normGroups = try c.integer("norm_num_groups", 32)
    sampleSize = try c.integer("sample_size", 32)
    blockOutChannels = try c.integers("block_out_channels")
    for (key, type) in [("down_block_types", "DownEncoderBlock2D"), ("up_block_types", "UpDecoderBlock2D")] {
      let types = try c.strings(key)
      guard types.count == blockOutChannels.count, types.allSatisfy({ $0 == type }) else {
        throw c.wrong(key, expected: "\(blockOutChannels.count) of \(type)")
      }
    }
    midBlockAttention = try c.flag("mid_block_add_attention", true)
    quantConv = try c.flag("use_quant_conv", true)
    postQuantConv = try c.flag("use_post_quant_conv", true)
    scalingFactor = Float(try c.number("scaling_factor", 0.18215))
  }

  /// Side of an image divided by the side of its latent.
  package var reduction: Int { 1 << (blockOutChannels.count - 1) }
}

/// Encoder and decoder for images `[B, 3, H, W]` in -1...1 and latents `[B, C, H/f, W/f]`.
package final class AutoencoderKL {
  package let configuration: AutoencoderConfiguration
  package let parameters: [Parameter]
  private let encoder: Encoder
  private let decoder: Decoder
  private let quantConv, postQuantConv: Conv2d?

  package init(_ c: AutoencoderConfiguration, from source: ParameterSource) throws {
    let path = source.root
    configuration = c
    encoder = try Encoder(path["encoder"], c)
    decoder = try Decoder(path["decoder"], c)
    quantConv = try c.quantConv
      ? Conv2d(path["quant_conv"], in: 2 * c.latentChannels, out: 2 * c.latentChannels, kernel: 1) : nil
    postQuantConv = try c.postQuantConv
      ? Conv2d(path["post_quant_conv"], in: c.latentChannels, out: c.latentChannels, kernel: 1) : nil
    try source.finish()
    parameters = source.parameters
  }

  /// Loads `config.json` and the weights of a diffusers `vae` folder.
  package convenience init(folder: URL, weights: WeightOrigin = .files) throws {
    let configuration = try AutoencoderConfiguration(ModelConfiguration(file: folder.appending(path: "config.json")))
    try self.init(configuration, from: weights.source(folder: folder, named: "diffusion_pytorch_model"))
  }

  package var scalingFactor: Float { configuration.scalingFactor }

  /// Images `[B, 3, H, W]` to mean and log-variance of their latents, `[B, C, H/f, W/f]` each, not scaled; the
  /// log-variance is clamped to -30...20, as in diffusers.
  package func encode(_ images: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    var moments = encoder(images.channelsLast)
    if let quantConv { moments = quantConv(moments) }
    moments = moments.channelsFirst
    let c = configuration.latentChannels
    return (moments.slice(axis: 1, 0..<c), moments.slice(axis: 1, c..<2 * c).clamped(-30, 20))
  }

  /// Latents `[B, C, h, w]`, not scaled (divide by `scalingFactor` first), to images `[B, 3, H, W]`.
  package func decode(_ latents: Tensor) -> Tensor {
    let x = latents.channelsLast
    return decoder(postQuantConv?(x) ?? x).channelsFirst
  }
}

/// The middle block: a resnet, attention with one head, a resnet.
private final class AutoencoderMid {
  private let first, second: ResnetBlock
  private let attentionBlock: AutoencoderAttention?

  init(_ path: ParameterPath, _ c: AutoencoderConfiguration) throws {
    let channels = c.blockOutChannels[c.blockOutChannels.count - 1]
    func resnet(_ j: Int) throws -> ResnetBlock {
      try ResnetBlock(
        path["resnets"][j], in: channels, out: channels, timeWidth: nil, groups: c.normGroups, epsilon: 1e-6)
    }
    first = try resnet(0)
    attentionBlock = try c.midBlockAttention ? AutoencoderAttention(path["attentions"][0], channels, c.normGroups) : nil
    second = try resnet(1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let x = first(x, time: nil)
    return second(attentionBlock?(x) ?? x, time: nil)
  }
}

/// Self-attention over the positions of an image. Checkpoints older than diffusers 0.18 name the projections query,
/// key, value and proj_attn.
private final class AutoencoderAttention {
  private let norm: GroupNorm
  private let query, key, value, out: Linear

  init(_ path: ParameterPath, _ channels: Int, _ groups: Int) throws {
    norm = try GroupNorm(path["group_norm"], channels, groups: groups, epsilon: 1e-6)
    let isOld = path["query"].has("weight")
    query = try Linear(path[isOld ? "query" : "to_q"], in: channels, out: channels)
    key = try Linear(path[isOld ? "key" : "to_k"], in: channels, out: channels)
    value = try Linear(path[isOld ? "value" : "to_v"], in: channels, out: channels)
    out = try Linear(isOld ? path["proj_attn"] : path["to_out"][0], in: channels, out: channels)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let tokens = norm(x).reshaped([x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
    let attended = attention(queriesKeysValues: Linear.together([query, key, value], tokens), heads: 1)
    return out(attended, residual: x.reshaped(tokens.shape)).reshaped(x.shape)
  }
}

private final class Encoder {
  private let convIn, convOut: Conv2d
  private let blocks: [(resnets: [ResnetBlock], downsampler: Conv2d?)]
  private let mid: AutoencoderMid
  private let normOut: GroupNorm

  init(_ path: ParameterPath, _ c: AutoencoderConfiguration) throws {
    let channels = c.blockOutChannels, last = channels.count - 1
    convIn = try Conv2d(path["conv_in"], in: c.inChannels, out: channels[0], kernel: 3)
    blocks = try channels.indices.map { i in
      let block = path["down_blocks"][i]
      let resnets = try (0..<c.layersPerBlock).map { j in
        try ResnetBlock(
          block["resnets"][j], in: j == 0 ? channels[max(0, i - 1)] : channels[i], out: channels[i], timeWidth: nil,
          groups: c.normGroups, epsilon: 1e-6)
      }
      guard i < last else { return (resnets, nil) }
      let downsampler = try Conv2d(
        block["downsamplers"][0]["conv"], in: channels[i], out: channels[i], kernel: 3, stride: 2,
        padding: Padding(top: 0, left: 0, bottom: 1, right: 1))
      return (resnets, downsampler)
    }
    mid = try AutoencoderMid(path["mid_block"], c)
    normOut = try GroupNorm(path["conv_norm_out"], channels[last], groups: c.normGroups, epsilon: 1e-6)
    convOut = try Conv2d(path["conv_out"], in: channels[last], out: 2 * c.latentChannels, kernel: 3)
  }

  func callAsFunction(_ images: Tensor) -> Tensor {
    var x = convIn(images)
    for block in blocks {
      for resnet in block.resnets { x = resnet(consume x, time: nil) }
      if let downsampler = block.downsampler { x = downsampler(x) }
    }
    return convOut(normOut(mid(x), silu: true))
  }
}

private final class Decoder {
  private let convIn, convOut: Conv2d
  private let mid: AutoencoderMid
  private let blocks: [(resnets: [ResnetBlock], upsampler: Upsampler?)]
  private let normOut: GroupNorm

  init(_ path: ParameterPath, _ c: AutoencoderConfiguration) throws {
    let channels = Array(c.blockOutChannels.reversed()), last = channels.count - 1
    convIn = try Conv2d(path["conv_in"], in: c.latentChannels, out: channels[0], kernel: 3)
    mid = try AutoencoderMid(path["mid_block"], c)
    blocks = try channels.indices.map { i in
      let block = path["up_blocks"][i]
      let resnets = try (0...c.layersPerBlock).map { j in
        try ResnetBlock(
          block["resnets"][j], in: j == 0 ? channels[max(0, i - 1)] : channels[i], out: channels[i], timeWidth: nil,
          groups: c.normGroups, epsilon: 1e-6)
      }
      return (resnets, try i == last ? nil : Upsampler(block, channels[i]))
    }
    normOut = try GroupNorm(path["conv_norm_out"], channels[last], groups: c.normGroups, epsilon: 1e-6)
    convOut = try Conv2d(path["conv_out"], in: channels[last], out: c.outChannels, kernel: 3)
  }

  func callAsFunction(_ latents: Tensor) -> Tensor {
    var x = mid(convIn(latents))
    for block in blocks {
      for resnet in block.resnets { x = resnet(consume x, time: nil) }
      if let upsampler = block.upsampler { x = upsampler(x, height: 2 * x.shape[1], width: 2 * x.shape[2]) }
    }
    return convOut(normOut(x, silu: true))
  }
}
