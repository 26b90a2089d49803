// Elementwise functions of one tensor. Their derivatives are in CKernels/elementwise.c.

internal import CKernels

extension Tensor {
  private func unary(_ kind: Int32) -> Tensor {
    let x = detached
    let y = withPointers(x) { x in Tensor.make(shape) { sw_unary(kind, Int64(count), x, $0) } }
    return Tape.record(y, from: [self]) { g in
      [
        withPointers(x, y, g) { px, py, pg in
          Tensor.make(x.shape) { sw_unary_gradient(kind, Int64(x.count), px, py, pg, $0) }
        }
      ]
    }
  }

  package func exp() -> Tensor { unary(Int32(SW_EXP)) }
  package func log() -> Tensor { unary(Int32(SW_LOG)) }
  package func sqrt() -> Tensor { unary(Int32(SW_SQRT)) }
  package func squared() -> Tensor { unary(Int32(SW_SQUARE)) }
  package func tanh() -> Tensor { unary(Int32(SW_TANH)) }
  /// log(1 / (1 + e^-x)) without overflow.
  package func logSigmoid() -> Tensor { unary(Int32(SW_LOG_SIGMOID)) }
  /// x sigmoid(x)
  package func silu() -> Tensor { unary(Int32(SW_SILU)) }
  /// x Phi(x), where Phi is the distribution function of the standard normal distribution (the exact form, with erf).
  package func gelu() -> Tensor { unary(Int32(SW_GELU)) }
  /// x sigmoid(1.702 x), the approximation of gelu in CLIP.
  package func quickGelu() -> Tensor { unary(Int32(SW_QUICK_GELU)) }
  package func relu() -> Tensor { unary(Int32(SW_RELU)) }
  package func abs() -> Tensor { unary(Int32(SW_ABS)) }
  package static prefix func - (x: Tensor) -> Tensor { x.unary(Int32(SW_NEGATE)) }

  /// Limits every element to lower...upper. The gradient of elements outside of this range is 0.
  package func clamped(_ lower: Float, _ upper: Float) -> Tensor {
    let x = detached
    let y = withPointers(x) { x in Tensor.make(shape) { sw_clamp(Int64(count), lower, upper, x, $0) } }
    return Tape.record(y, from: [self]) { g in
      [
        withPointers(x, g) { px, pg in
          Tensor.make(x.shape) { sw_clamp_gradient(Int64(x.count), lower, upper, px, pg, $0) }
        }
      ]
    }
  }

  /// scale x + shift
  func affine(_ scale: Float, _ shift: Float) -> Tensor {
    let y = withPointers(self) { x in Tensor.make(shape) { sw_affine(Int64(count), scale, shift, x, $0) } }
    return Tape.record(y, from: [self]) { g in [g.affine(scale, 0)] }
  }

  package static func + (x: Tensor, a: Float) -> Tensor { x.affine(1, a) }
  package static func + (a: Float, x: Tensor) -> Tensor { x.affine(1, a) }
  package static func - (x: Tensor, a: Float) -> Tensor { x.affine(1, -a) }
  package static func - (a: Float, x: Tensor) -> Tensor { x.affine(-1, a) }
  package static func * (x: Tensor, a: Float) -> Tensor { x.affine(a, 0) }
  package static func * (a: Float, x: Tensor) -> Tensor { x.affine(a, 0) }
  /// x times 1 / a.
  package static func / (x: Tensor, a: Float) -> Tensor { x.affine(1 / a, 0) }
  package static func / (a: Float, x: Tensor) -> Tensor { Tensor(a) / x }

  /// a gelu(b), where a and b are the halves of the last axis: `[..., 2f]` to `[..., f]` (Shazeer, arXiv 2002.05202).
  package func geglu() -> Tensor {
    check(rank > 0 && shape[rank - 1] % 2 == 0, "geglu: expected an even last axis, found shape \(shape)")
    let x = detached
    let width = Int64(shape[rank - 1] / 2)
    let rows = Int64(count) / max(1, 2 * width)
    let y = withPointers(x) { x in
      Tensor.make(shape.dropLast() + [Int(width)]) { sw_geglu(rows, width, x, $0) }
    }
    return Tape.record(y, from: [self]) { g in
      [withPointers(x, g) { px, pg in Tensor.make(x.shape) { sw_geglu_gradient(rows, width, px, pg, $0) } }]
    }
  }
}
