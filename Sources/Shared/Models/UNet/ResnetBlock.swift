// diffusers' ResnetBlock2D and Upsample2D.

import Engine
import Layers

/// Norm, SiLU and convolution, twice, with the time embedding added in between and a shortcut around them.
final class ResnetBlock {
  private let norm1, norm2: GroupNorm
  private let conv1, conv2: Conv2d
  private let timeProjection: Linear?
  private let shortcut: Conv2d?

  init(
    _ path: ParameterPath, in inputs: Int, out outputs: Int, timeWidth: Int?, groups: Int, epsilon: Float
  ) throws {
    norm1 = try GroupNorm(path["norm1"], inputs, groups: groups, epsilon: epsilon)
    conv1 = try Conv2d(path["conv1"], in: inputs, out: outputs, kernel: 3)
    timeProjection = try timeWidth.map { try Linear(path["time_emb_proj"], in: $0, out: outputs) }
    norm2 = try GroupNorm(path["norm2"], outputs, groups: groups, epsilon: epsilon)
    conv2 = try Conv2d(path["conv2"], in: outputs, out: outputs, kernel: 3)
    shortcut = try inputs == outputs ? nil : Conv2d(path["conv_shortcut"], in: inputs, out: outputs, kernel: 1)
  }

  /// `[B, H, W, in]` and the activated time embedding `[B, E]` to `[B, H, W, out]`; the channels of a skip are appended
  /// to those of x.
  func callAsFunction(_ x: consuming Tensor, skip: Tensor? = nil, time: Tensor?) -> Tensor {
    let shift = time.flatMap { time in timeProjection.map { $0(time) } }
    // The residual comes first, so that the normalized x can reuse the memory of x if nothing else holds it. The values
    // that follow have no names for the same reason: each is freed as soon as the next exists.
    let residual = if let shortcut { shortcut(joined(x, skip)) } else { joined(x, skip) }
    return conv2(
      norm2(conv1(normalized(consume x, skip), shift: shift), silu: true), residual: residual)
  }

  private func joined(_ x: Tensor, _ skip: Tensor?) -> Tensor {
    skip.map { Tensor.concatenated([x, $0], axis: 3) } ?? x
  }

  /// Training keeps x and the skip, which are kept anyway, and joins them again for the gradient.
  private func normalized(_ x: consuming Tensor, _ skip: Tensor?) -> Tensor {
    guard let skip else { return norm1(consume x, silu: true) }
    return Tape.recomputing([x, skip]) { [norm1] in norm1(Tensor.concatenated($0, axis: 3), silu: true) }
  }
}

/// Nearest-neighbour upsampling and a convolution.
final class Upsampler {
  private let conv: Conv2d

  init(_ path: ParameterPath, _ channels: Int) throws {
    conv = try Conv2d(path["upsamplers"][0]["conv"], in: channels, out: channels, kernel: 3)
  }

  /// `[B, H, W, C]` to `[B, height, width, C]`: twice as large, or one less where the size of the skip is odd.
  func callAsFunction(_ x: Tensor, height: Int, width: Int) -> Tensor {
    let (b, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    if height == 2 * h && width == 2 * w { return conv(x, doubled: true) }
    var indices: [Int] = []
    for image in 0..<b {
      for row in 0..<height {
        for column in 0..<width { indices.append((image * h + row * h / height) * w + column * w / width) }
      }
    }
    return conv(x.reshaped([b * h * w, c]).rows(indices).reshaped([b, height, width, c]))
  }
}
