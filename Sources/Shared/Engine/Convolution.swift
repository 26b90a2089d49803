// Convolution and doubling of images, NHWC.

internal import CKernels

/// Zeros around an image before a convolution.
public struct Padding: Sendable {
  public let top, left, bottom, right: Int

  public init(top: Int, left: Int, bottom: Int, right: Int) {
    self.top = top
    self.left = left
    self.bottom = bottom
    self.right = right
  }

  /// The same on all sides.
  public init(_ all: Int) { self.init(top: all, left: all, bottom: all, right: all) }
}

/// Cross-correlation of x `[B, H, W, in]` with weight `[out, k, k, in]`, to `[B, H', W', out]`.
public func conv2d(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, stride: Int = 1, padding: Padding) -> Tensor {
  check(
    x.rank == 4 && weight.rank == 4 && x.shape[3] == weight.shape[3] && weight.shape[1] == weight.shape[2],
    "conv2d: x \(x.shape) (NHWC) does not fit weight \(weight.shape) (out, k, k, in)")
  let shape = sw_convolution(x.shape, weight.shape, stride, padding)
  check(shape.out_height > 0 && shape.out_width > 0, "conv2d: x \(x.shape) is smaller than the kernel")
  let y = withPointers(x, weight) { x_, w_ in
    withOptionalPointer(bias) { b_ in
      Tensor.make(shape.output) { out in withUnsafePointer(to: shape) { sw_conv2d($0, x_, w_, b_, out) } }
    }
  }
  let (px, pw) = (x.detached, weight.detached)
  let (wantsX, wantsW, wantsBias) = (Tape.tracks(x), Tape.tracks(weight), bias.map(Tape.tracks) ?? false)
  return Tape.record(y, from: [x, weight] + (bias.map { [$0] } ?? [])) { g in
    let gx = wantsX ? inputGradient(shape, pw, g) : nil
    let gw = wantsW
      ? withPointers(px, g) { x_, g_ in
        Tensor.make(pw.shape) { out in withUnsafePointer(to: shape) { sw_conv2d_weight_gradient($0, x_, g_, out) } }
      } : nil
    let gb = wantsBias ? g.columnSums : nil
    return [gx, gw, gb]
  }
}

/// The input's gradient is a convolution of the output's, with zeros between its positions for strides above one, by
/// the weights rotated by 180 degrees.
private func inputGradient(_ s: sw_convolution, _ weight: Tensor, _ g: Tensor) -> Tensor {
  let rotated = withPointers(weight) { w in
    Tensor.make([Int(s.`in`), Int(s.kernel), Int(s.kernel), Int(s.out)]) {
      sw_conv2d_rotate(s.out, s.kernel, s.`in`, w, $0)
    }
  }
  let (h, w) = ((s.out_height - 1) * s.stride + 1, (s.out_width - 1) * s.stride + 1)
  let dilated = s.stride == 1
    ? g
    : withPointers(g) { g_ in
      Tensor.make([Int(s.batch), Int(h), Int(w), Int(s.out)]) {
        sw_dilate(s.batch, s.out_height, s.out_width, s.out, s.stride, g_, $0)
      }
    }
  let back = sw_convolution(
    batch: s.batch, height: h, width: w, in: s.out, out: s.`in`, kernel: s.kernel, stride: 1,
    pad_top: s.kernel - 1 - s.pad_top, pad_left: s.kernel - 1 - s.pad_left, out_height: s.height, out_width: s.width)
  return withPointers(dilated, rotated) { g_, w_ in
    Tensor.make([Int(s.batch), Int(s.height), Int(s.width), Int(s.`in`)]) { out in
      withUnsafePointer(to: back) { sw_conv2d($0, g_, w_, nil, out) }
    }
  }
}

extension sw_convolution {
  fileprivate init(_ x: [Int], _ weight: [Int], _ stride: Int, _ padding: Padding) {
    let kernel = weight[1]
    self.init(
      batch: Int64(x[0]), height: Int64(x[1]), width: Int64(x[2]), in: Int64(x[3]), out: Int64(weight[0]),
      kernel: Int64(kernel), stride: Int64(stride), pad_top: Int64(padding.top), pad_left: Int64(padding.left),
      out_height: Int64((x[1] + padding.top + padding.bottom - kernel) / stride + 1),
      out_width: Int64((x[2] + padding.left + padding.right - kernel) / stride + 1))
  }

  fileprivate var output: [Int] { [Int(batch), Int(out_height), Int(out_width), Int(out)] }
}

extension Tensor {
  /// Nearest-neighbour doubling of `[B, H, W, C]` to `[B, 2H, 2W, C]`.
  public func upsampled() -> Tensor {
    check(rank == 4, "upsampled: \(shape) is not NHWC")
    let (b, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
    let y = withPointers(self) { x in
      Tensor.make([b, 2 * h, 2 * w, c]) { sw_upsample(Int64(b), Int64(h), Int64(w), Int64(c), x, $0) }
    }
    return Tape.record(y, from: [self]) { g in
      [
        withPointers(g) { g_ in
          Tensor.make([b, h, w, c]) { sw_upsample_gradient(Int64(b), Int64(h), Int64(w), Int64(c), g_, $0) }
        }
      ]
    }
  }

  /// `[B, C, H, W]` to `[B, H, W, C]`.
  public var channelsLast: Tensor { permuted([0, 2, 3, 1]) }
  /// `[B, H, W, C]` to `[B, C, H, W]`.
  public var channelsFirst: Tensor { permuted([0, 3, 1, 2]) }
}
