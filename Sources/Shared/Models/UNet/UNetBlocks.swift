// The blocks of the UNet: down blocks, which push skips, the middle block, and up blocks, which join skips. Each
// consists of units, a resnet and the attention after it, which gradient checkpointing recomputes.

import Engine
import Layers

/// A resnet, followed by a transformer at some resolutions.
struct UNetUnit {
  let resnet: ResnetBlock
  let transformer: Transformer2D?

  /// x `[B, H, W, in]` to `[B, H, W, out]`; the channels of a skip are appended to those of x.
  func callAsFunction(_ x: Tensor, skip: Tensor? = nil, _ condition: UNetCondition) -> Tensor {
    guard condition.recomputes else { return compute(x, skip, condition.time, condition.context) }
    let inputs = [x, condition.time, condition.context] + (skip.map { [$0] } ?? [])
    return Tape.recomputing(inputs) { compute($0[0], $0.count > 3 ? $0[3] : nil, $0[1], $0[2]) }
  }

  private func compute(_ x: Tensor, _ skip: Tensor?, _ time: Tensor, _ context: Tensor) -> Tensor {
    let y = resnet(x, skip: skip, time: time)
    return transformer?(y, context: context) ?? y
  }
}

/// Inputs that all units of a UNet share.
struct UNetCondition {
  /// The activated time embedding, `[B, E]`.
  let time: Tensor
  /// The texts' hidden states, `[B, S, D]`.
  let context: Tensor
  /// Gradient checkpointing.
  let recomputes: Bool
}

/// DownBlock2D or CrossAttnDownBlock2D.
final class DownBlock {
  private let units: [UNetUnit]
  private let downsampler: Conv2d?

  var transformers: [Transformer2D] { units.compactMap(\.transformer) }

  init(_ path: ParameterPath, index: Int, in inputs: Int, out outputs: Int, _ c: UNetConfiguration) throws {
    let layers = c.layersPerBlock[index]
    let attends = c.downBlockTypes[index] == "CrossAttnDownBlock2D"
    units = try (0..<layers).map { j in
      let resnet = try ResnetBlock(
        path["resnets"][j], in: j == 0 ? inputs : outputs, out: outputs, timeWidth: 4 * c.blockOutChannels[0],
        groups: c.normGroups, epsilon: c.normEpsilon)
      let transformer = try attends
        ? Transformer2D(
          path["attentions"][j], channels: outputs, layers: c.transformerLayers[index], heads: c.heads[index], c) : nil
      return UNetUnit(resnet: resnet, transformer: transformer)
    }
    let isLast = index == c.blockOutChannels.count - 1
    downsampler = try isLast
      ? nil
      : Conv2d(path["downsamplers"][0]["conv"], in: outputs, out: outputs, kernel: 3, stride: 2, padding: Padding(1))
  }

  func callAsFunction(_ x: Tensor, _ condition: UNetCondition, skips: inout [Tensor]) -> Tensor {
    var x = x
    for unit in units {
      x = unit(x, condition)
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
  private let first, second: UNetUnit

  var transformers: [Transformer2D] { [first, second].compactMap(\.transformer) }

  init(_ path: ParameterPath, _ c: UNetConfiguration) throws {
    let last = c.blockOutChannels.count - 1
    let channels = c.blockOutChannels[last]
    func resnet(_ j: Int) throws -> ResnetBlock {
      try ResnetBlock(
        path["resnets"][j], in: channels, out: channels, timeWidth: 4 * c.blockOutChannels[0], groups: c.normGroups,
        epsilon: c.normEpsilon)
    }
    first = UNetUnit(
      resnet: try resnet(0),
      transformer: try Transformer2D(
        path["attentions"][0], channels: channels, layers: c.transformerLayers[last], heads: c.heads[last], c))
    second = UNetUnit(resnet: try resnet(1), transformer: nil)
  }

  func callAsFunction(_ x: Tensor, _ condition: UNetCondition) -> Tensor { second(first(x, condition), condition) }
}

/// UpBlock2D or CrossAttnUpBlock2D.
final class UpBlock {
  private let units: [UNetUnit]
  private let upsampler: Upsampler?

  var transformers: [Transformer2D] { units.compactMap(\.transformer) }

  /// - Parameters:
  ///   - index: index of the down block with the same resolution.
  ///   - previous: channels of the block before.
  ///   - skip: channels of the last skip, which comes from the down block before that one.
  init(
    _ path: ParameterPath, index: Int, previous: Int, out outputs: Int, skip: Int, type: String,
    _ c: UNetConfiguration
  ) throws {
    let layers = c.layersPerBlock[index] + 1
    let attends = type == "CrossAttnUpBlock2D"
    units = try (0..<layers).map { j in
      let joined = (j == 0 ? previous : outputs) + (j == layers - 1 ? skip : outputs)
      let resnet = try ResnetBlock(
        path["resnets"][j], in: joined, out: outputs, timeWidth: 4 * c.blockOutChannels[0], groups: c.normGroups,
        epsilon: c.normEpsilon)
      let transformer = try attends
        ? Transformer2D(
          path["attentions"][j], channels: outputs, layers: c.transformerLayers[index], heads: c.heads[index], c) : nil
      return UNetUnit(resnet: resnet, transformer: transformer)
    }
    upsampler = try index == 0 ? nil : Upsampler(path, outputs)
  }

  func callAsFunction(_ x: Tensor, _ condition: UNetCondition, skips: inout [Tensor]) -> Tensor {
    var x = x
    for unit in units { x = unit(x, skip: skips.removeLast(), condition) }
    guard let upsampler, let next = skips.last else { return x }
    return upsampler(x, height: next.shape[1], width: next.shape[2])
  }
}
