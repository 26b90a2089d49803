// The UNet's stations: down with skips pushed, the middle, up with skips joined.

import Engine
import Layers

/// DownBlock2D or CrossAttnDownBlock2D.
final class DownBlock {
  private let resnets: [ResnetBlock]
  let transformers: [Transformer2D]
  private let downsampler: Conv2d?

  init(_ path: ParameterPath, index: Int, in inputs: Int, out outputs: Int, _ c: UNetConfiguration) throws {
    let layers = c.layersPerBlock[index]
    let attends = c.downBlockTypes[index] == "CrossAttnDownBlock2D"
    resnets = try (0..<layers).map { j in
      try ResnetBlock(
        path["resnets"][j], in: j == 0 ? inputs : outputs, out: outputs, timeWidth: 4 * c.blockOutChannels[0],
        groups: c.normGroups, epsilon: c.normEpsilon)
    }
    transformers = try (0..<(attends ? layers : 0)).map { j in
      try Transformer2D(
        path["attentions"][j], channels: outputs, layers: c.transformerLayers[index], heads: c.heads[index], c)
    }
    let isLast = index == c.blockOutChannels.count - 1
    downsampler = try isLast
      ? nil
      : Conv2d(path["downsamplers"][0]["conv"], in: outputs, out: outputs, kernel: 3, stride: 2, padding: Padding(1))
  }

  func callAsFunction(_ x: Tensor, time: Tensor, context: Tensor, skips: inout [Tensor]) -> Tensor {
    var x = x
    for (j, resnet) in resnets.enumerated() {
      x = resnet(x, time: time)
      if !transformers.isEmpty { x = transformers[j](x, context: context) }
      skips.append(x)
    }
    if let downsampler {
      x = downsampler(x)
      skips.append(x)
    }
    return x
  }
}

/// UNetMidBlock2DCrossAttn.
final class MidBlock {
  private let first, second: ResnetBlock
  let transformers: [Transformer2D]

  init(_ path: ParameterPath, _ c: UNetConfiguration) throws {
    let last = c.blockOutChannels.count - 1
    let channels = c.blockOutChannels[last]
    func resnet(_ j: Int) throws -> ResnetBlock {
      try ResnetBlock(
        path["resnets"][j], in: channels, out: channels, timeWidth: 4 * c.blockOutChannels[0], groups: c.normGroups,
        epsilon: c.normEpsilon)
    }
    first = try resnet(0)
    transformers = [
      try Transformer2D(
        path["attentions"][0], channels: channels, layers: c.transformerLayers[last], heads: c.heads[last], c)
    ]
    second = try resnet(1)
  }

  func callAsFunction(_ x: Tensor, time: Tensor, context: Tensor) -> Tensor {
    second(transformers[0](first(x, time: time), context: context), time: time)
  }
}

/// UpBlock2D or CrossAttnUpBlock2D.
final class UpBlock {
  private let resnets: [ResnetBlock]
  let transformers: [Transformer2D]
  private let upsampler: Upsampler?

  /// - Parameters:
  ///   - index: the resolution's place among the down blocks.
  ///   - previous: channels coming from below.
  ///   - skip: channels of the skip that the down path's previous block made.
  init(
    _ path: ParameterPath, index: Int, previous: Int, out outputs: Int, skip: Int, type: String,
    _ c: UNetConfiguration
  ) throws {
    let layers = c.layersPerBlock[index] + 1
    resnets = try (0..<layers).map { j in
      let joined = (j == 0 ? previous : outputs) + (j == layers - 1 ? skip : outputs)
      return try ResnetBlock(
        path["resnets"][j], in: joined, out: outputs, timeWidth: 4 * c.blockOutChannels[0], groups: c.normGroups,
        epsilon: c.normEpsilon)
    }
    transformers = try (0..<(type == "CrossAttnUpBlock2D" ? layers : 0)).map { j in
      try Transformer2D(
        path["attentions"][j], channels: outputs, layers: c.transformerLayers[index], heads: c.heads[index], c)
    }
    upsampler = try index == 0 ? nil : Upsampler(path, outputs)
  }

  func callAsFunction(_ x: Tensor, time: Tensor, context: Tensor, skips: inout [Tensor]) -> Tensor {
    var x = x
    for (j, resnet) in resnets.enumerated() {
      x = resnet(Tensor.concatenated([x, skips.removeLast()], axis: 3), time: time)
      if !transformers.isEmpty { x = transformers[j](x, context: context) }
    }
    guard let upsampler, let next = skips.last else { return x }
    return upsampler(x, height: next.shape[1], width: next.shape[2])
  }
}
