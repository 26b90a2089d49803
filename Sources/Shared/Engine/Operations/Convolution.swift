// Convolution of NHWC images, and its gradients.

internal import CKernels

/// Zeros around an image before a convolution.
package struct Padding: Sendable {
  package let top, left, bottom, right: Int

  package init(top: Int, left: Int, bottom: Int, right: Int) {
    self.top = top
    self.left = left
    self.bottom = bottom
    self.right = right
  }

  package init(_ all: Int) { self.init(top: all, left: all, bottom: all, right: all) }
}

/// Cross-correlation of x `[B, H, W, in]` with weight `[out, k, k, in]`, to `[B, H', W', out]`. The optional terms are
/// added in the same pass.
///
/// 3x3 kernels of stride 1 use Winograd's F(4x4, 3x3), with relative errors of a few 1e-6.
///
/// - Parameters:
///   - bias: `[out]`.
///   - shift: `[B, out]`, one number per image and channel, such as a time embedding.
///   - residual: a tensor with the shape of the result.
///   - doubled: convolves the nearest-neighbour upsampling of x by two, `[B, 2H, 2W, in]`, without storing it.
package func conv2d(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, stride: Int = 1, padding: Padding, shift: Tensor? = nil,
  residual: Tensor? = nil, doubled: Bool = false
) -> Tensor {
  check(
    x.rank == 4 && weight.rank == 4 && x.shape[3] == weight.shape[3] && weight.shape[1] == weight.shape[2],
    "conv2d: x \(x.shape) does not fit weight \(weight.shape); expected [B, H, W, in] and [out, k, k, in]")
  let shape = sw_convolution(x.shape, weight.shape, stride, padding, doubled)
  check(
    shape.out_height > 0 && shape.out_width > 0,
    "conv2d: x \(x.shape) with its padding is smaller than the kernel of \(weight.shape)")
  for (name, term, expected) in [
    ("bias", bias, [weight.shape[0]]), ("shift", shift, [x.shape[0], weight.shape[0]]),
    ("residual", residual, shape.output),
  ] {
    check(term == nil || term!.shape == expected, "conv2d: expected \(name) \(expected), found \(term!.shape)")
  }
  let y = withPointers(x, weight) { x_, w_ in
    withOptionalPointers(bias, shift, residual) { bias_, shift_, residual_ in
      Tensor.make(shape.output) { out in
        let terms = sw_convolution_terms(bias: bias_, shift: shift_, residual: residual_)
        withUnsafePointer(to: shape) { sw_conv2d($0, x_, w_, terms, out) }
      }
    }
  }
  let (wantsX, wantsW) = (Tape.tracks(x), Tape.tracks(weight))
  let (kept, pw) = (wantsW ? x.detached : nil, weight.detached)
  let (wantsBias, wantsShift) = (bias.map(Tape.tracks) ?? false, shift.map(Tape.tracks) ?? false)
  return Tape.record(y, from: [x, weight] + [bias, shift, residual].compactMap { $0 }) { g in
    let gx = wantsX ? inputGradient(shape, pw, g) : nil
    let gw = kept.map { weightGradient(shape, $0, g) }
    let terms = [
      bias.map { _ in wantsBias ? g.columnSums : nil }, shift.map { _ in wantsShift ? g.sum(axes: [1, 2]) : nil },
      residual.map { _ in Optional(g) },
    ]
    return [gx, gw] + terms.compactMap { $0 }
  }
}

private func inputGradient(_ shape: sw_convolution, _ weight: Tensor, _ g: Tensor) -> Tensor {
  let gx = withPointers(weight, g) { w_, g_ in
    Tensor.make([Int(shape.batch), Int(shape.height), Int(shape.width), Int(shape.in)]) { out in
      withUnsafePointer(to: shape) { sw_conv2d_input_gradient($0, w_, g_, out) }
    }
  }
  return shape.doubled == 0 ? gx : gx.doublingGradient
}

private func weightGradient(_ shape: sw_convolution, _ x: Tensor, _ g: Tensor) -> Tensor {
  withPointers(x, g) { x_, g_ in
    Tensor.make([Int(shape.out), Int(shape.kernel), Int(shape.kernel), Int(shape.in)]) { out in
      withUnsafePointer(to: shape) { sw_conv2d_weight_gradient($0, x_, g_, out) }
    }
  }
}

@inline(__always)
private func withOptionalPointers<R>(
  _ a: Tensor?, _ b: Tensor?, _ c: Tensor?,
  _ body: (UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?) -> R
) -> R {
  withOptionalPointer(a) { a in withOptionalPointer(b) { b in withOptionalPointer(c) { c in body(a, b, c) } } }
}

extension sw_convolution {
  fileprivate init(_ x: [Int], _ weight: [Int], _ stride: Int, _ padding: Padding, _ doubled: Bool) {
    let (height, width, kernel) = (doubled ? 2 * x[1] : x[1], doubled ? 2 * x[2] : x[2], weight[1])
    self.init(
      batch: Int64(x[0]), height: Int64(height), width: Int64(width), in: Int64(x[3]), out: Int64(weight[0]),
      kernel: Int64(kernel), stride: Int64(stride), pad_top: Int64(padding.top), pad_left: Int64(padding.left),
      out_height: Int64((height + padding.top + padding.bottom - kernel) / stride + 1),
      out_width: Int64((width + padding.left + padding.right - kernel) / stride + 1), doubled: doubled ? 1 : 0)
  }

  fileprivate var output: [Int] { [Int(batch), Int(out_height), Int(out_width), Int(out)] }
}

extension Tensor {
  /// The adjoint of upsampling by two: sums of two by two positions, `[B, 2H, 2W, C]` to `[B, H, W, C]`.
  fileprivate var doublingGradient: Tensor {
    let (b, h, w, c) = (shape[0], shape[1] / 2, shape[2] / 2, shape[3])
    return withPointers(self) { g in
      Tensor.make([b, h, w, c]) { sw_doubling_gradient(Int64(b), Int64(h), Int64(w), Int64(c), g, $0) }
    }
  }

  /// `[B, C, H, W]` to `[B, H, W, C]`.
  package var channelsLast: Tensor { permuted([0, 2, 3, 1]) }
  /// `[B, H, W, C]` to `[B, C, H, W]`.
  package var channelsFirst: Tensor { permuted([0, 3, 1, 2]) }
}
