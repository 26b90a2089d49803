// diffusers' AutoencoderTiny (TAESD, github.com/madebyollin/taesd): a small autoencoder for the latents of
// another one. Its decoder costs about 2 % of AutoencoderKL's.

package import Engine
package import Foundation
package import Layers

/// The values of AutoencoderTiny's config.json that change the numbers.
package struct AutoencoderTinyConfiguration: Sendable {
  /// Channels of pictures and latents, and of every layer in between.
  package let inChannels, outChannels, latentChannels, width: Int
  /// Residual blocks at each resolution, in the order of the layers.
  package let encoderBlocks, decoderBlocks: [Int]
  /// Between the convolutions of a block; every block ends with ReLU.
  package let activation: Activation
  /// Latents are multiplied by this before diffusion.
  package let scalingFactor: Float

  /// - Throws: `ModelConfigurationError` naming the first value that is missing or not supported.
  package init(_ c: ModelConfiguration) throws {
    try c.require("_class_name", oneOf: .string("AutoencoderTiny"))
    try c.require("upsample_fn", oneOf: .string("nearest"))
    try c.require("upsampling_scaling_factor", oneOf: .number(2))
    try c.require("shift_factor", oneOf: .number(0))
    try c.refuseUnknown(besides: [
      "in_channels", "out_channels", "latent_channels", "encoder_block_out_channels", "decoder_block_out_channels",
      "num_encoder_blocks", "num_decoder_blocks", "act_fn", "upsample_fn", "upsampling_scaling_factor",
      "scaling_factor", "shift_factor", "force_upcast",
      // A copy of the decoder's channels, and the conversion of latents to bytes, which Stepwise does not use.
      "block_out_channels", "latent_magnitude", "latent_shift",
    ])
    inChannels = try c.integer("in_channels", 3)
    outChannels = try c.integer("out_channels", 3)
    latentChannels = try c.integer("latent_channels", 4)
    let name = try c.string("act_fn", "relu")
    guard let activation = Activation(rawValue: name == "swish" ? "silu" : name), activation != .quickGelu else {
      throw c.wrong("act_fn", expected: "relu, silu, swish or gelu")
    }
    self.activation = activation
    scalingFactor = Float(try c.number("scaling_factor", 1))
    var blocks: [[Int]] = [], widths: Set<Int> = []
    for side in ["encoder", "decoder"] {
      let channels = try c.integers("\(side)_block_out_channels")
      widths.formUnion(channels)
      let numbers = try c.integers("num_\(side)_blocks")
      guard !numbers.isEmpty, numbers.count == channels.count, numbers.allSatisfy({ $0 >= 0 }) else {
        throw c.wrong(
          "num_\(side)_blocks", expected: "\(channels.count) numbers, one for each of \(side)_block_out_channels")
      }
      blocks.append(numbers)
    }
    guard widths.count == 1, let width = widths.first, width > 0 else {
      throw c.wrong(
        "decoder_block_out_channels", expected: "one number of channels everywhere, as in encoder_block_out_channels")
    }
    self.width = width
    (encoderBlocks, decoderBlocks) = (blocks[0], blocks[1])
  }
}

/// Encoder and decoder for pictures `[B, 3, H, W]` in -1...1 and latents `[B, C, H/f, W/f]`.
package final class AutoencoderTiny {
  package let configuration: AutoencoderTinyConfiguration
  package let parameters: [Parameter]
  private let encoder, decoder: TinyStack

  package init(_ c: AutoencoderTinyConfiguration, from source: ParameterSource) throws {
    configuration = c
    encoder = try TinyStack(encoder: source.root["encoder"]["layers"], c)
    decoder = try TinyStack(decoder: source.root["decoder"]["layers"], c)
    try source.finish()
    parameters = source.parameters
  }

  /// Loads `config.json` and the weights of a diffusers folder.
  package convenience init(folder: URL, weights: WeightOrigin = .files) throws {
    let file = folder.appending(path: "config.json")
    let configuration = try AutoencoderTinyConfiguration(ModelConfiguration(file: file))
    try self.init(configuration, from: weights.source(folder: folder, named: "diffusion_pytorch_model"))
  }

  /// Pictures `[B, 3, H, W]` in -1...1 to latents `[B, C, H/f, W/f]`, scaled as for diffusion.
  package func encode(_ pictures: Tensor) -> Tensor {
    // The layers take 0...1.
    encoder((pictures.channelsLast + 1) / 2).channelsFirst
  }

  /// Latents `[B, C, h, w]` to pictures `[B, 3, H, W]` in about -1...1.
  package func decode(_ latents: Tensor) -> Tensor {
    // The decoder was trained with latents limited to ±3 in this way.
    let bounded = (latents.channelsLast / 3).tanh() * 3
    return (decoder(bounded) * 2 - 1).channelsFirst
  }
}

/// A list of layers with the numbers of the checkpoint.
private final class TinyStack {
  private var layers: [(Tensor) -> Tensor] = []

  /// For each resolution a convolution, which halves the size except for the first, and blocks; then a convolution.
  init(encoder path: ParameterPath, _ c: AutoencoderTinyConfiguration) throws {
    for (stage, count) in c.encoderBlocks.enumerated() {
      let isFirst = stage == 0
      try addConvolution(
        path, in: isFirst ? c.inChannels : c.width, out: c.width, stride: isFirst ? 1 : 2, bias: isFirst)
      try addBlocks(path, count, c)
    }
    try addConvolution(path, in: c.width, out: c.latentChannels)
  }

  /// A convolution and an activation; then for each resolution blocks, a doubling except for the last, and a
  /// convolution.
  init(decoder path: ParameterPath, _ c: AutoencoderTinyConfiguration) throws {
    try addConvolution(path, in: c.latentChannels, out: c.width)
    layers.append { c.activation($0) }
    for (stage, count) in c.decoderBlocks.enumerated() {
      try addBlocks(path, count, c)
      let isLast = stage == c.decoderBlocks.count - 1
      // The checkpoint counts the doubling as a layer; here the convolution that follows doubles its input.
      if !isLast { layers.append { $0 } }
      try addConvolution(
        path, in: c.width, out: isLast ? c.outChannels : c.width, bias: isLast, doubled: !isLast)
    }
  }

  private func addConvolution(
    _ path: ParameterPath, in inputs: Int, out outputs: Int, stride: Int = 1, bias: Bool = true,
    doubled: Bool = false
  ) throws {
    let layer = try Conv2d(
      path[layers.count], in: inputs, out: outputs, kernel: 3, stride: stride, padding: Padding(1), bias: bias)
    layers.append { layer($0, doubled: doubled) }
  }

  private func addBlocks(_ path: ParameterPath, _ count: Int, _ c: AutoencoderTinyConfiguration) throws {
    for _ in 0..<count {
      let place = path[layers.count]["conv"]
      let convolutions = try [0, 2, 4].map { try Conv2d(place[$0], in: c.width, out: c.width, kernel: 3) }
      layers.append { x in
        let inner = convolutions[1](c.activation(convolutions[0](x)))
        return (convolutions[2](c.activation(inner)) + x).relu()
      }
    }
  }

  /// `[B, H, W, in]` to `[B, H', W', out]`.
  func callAsFunction(_ x: Tensor) -> Tensor { layers.reduce(x) { $1($0) } }
}
