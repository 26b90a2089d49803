// Functions of two tensors with the broadcasting of NumPy. Its adjoint, a sum over the broadcast axes, is written once.

internal import CKernels

extension Tensor {
  /// The shape that two shapes broadcast to: aligned at the last axis, extents equal or 1.
  static func broadcast(_ a: [Int], _ b: [Int], _ operation: String) -> [Int] {
    let rank = max(a.count, b.count)
    return (0..<rank).map { axis in
      let p = axis + a.count - rank >= 0 ? a[axis + a.count - rank] : 1
      let q = axis + b.count - rank >= 0 ? b[axis + b.count - rank] : 1
      check(p == q || p == 1 || q == 1, "\(operation): shapes \(a) and \(b) cannot be broadcast")
      return p == 1 ? q : p
    }
  }

  /// Element strides in a broadcast shape: 0 along broadcast axes.
  private static func strides(_ shape: [Int], in result: [Int]) -> [Int64] {
    var strides = [Int64](repeating: 0, count: result.count)
    var step = 1
    for axis in stride(from: shape.count - 1, through: 0, by: -1) {
      if shape[axis] != 1 { strides[axis + result.count - shape.count] = Int64(step) }
      step *= shape[axis]
    }
    return strides
  }

  /// Merges neighbouring axes that are contiguous in both operands, so that kernels work on long rows.
  private static func merged(_ shape: [Int], _ a: [Int64], _ b: [Int64]) -> ([Int64], [Int64], [Int64]) {
    var extents: [Int64] = []
    var sa: [Int64] = []
    var sb: [Int64] = []
    for axis in shape.indices where shape[axis] != 1 {
      let extent = Int64(shape[axis])
      if let last = extents.indices.last, sa[last] == a[axis] * extent, sb[last] == b[axis] * extent {
        extents[last] *= extent
        sa[last] = a[axis]
        sb[last] = b[axis]
      } else {
        extents.append(extent)
        sa.append(a[axis])
        sb.append(b[axis])
      }
    }
    if extents.isEmpty { return ([1], [0], [0]) }
    // The strides of the last axis are 0 or 1, because tensors are contiguous.
    return (extents, sa, sb)
  }

  private static func raw(_ kind: Int32, _ a: Tensor, _ b: Tensor, _ name: String) -> Tensor {
    let shape = broadcast(a.shape, b.shape, name)
    let (extents, sa, sb) = merged(shape, strides(a.shape, in: shape), strides(b.shape, in: shape))
    guard shape.product > 0 else { return Tensor.zeros(shape) }
    return withPointers(a, b) { pa, pb in
      make(shape) { sw_binary(kind, Int32(extents.count), extents, pa, sa, pb, sb, $0) }
    }
  }

  /// The adjoint of broadcasting: sums a gradient to the shape before broadcasting.
  func summed(to target: [Int]) -> Tensor {
    if shape == target { return self }
    let lead = rank - target.count
    let axes = (0..<rank).filter { $0 < lead || (target[$0 - lead] == 1 && shape[$0] != 1) }
    return sum(axes: axes, keepAxes: true).reshaped(target)
  }

  package static func + (a: Tensor, b: Tensor) -> Tensor {
    Tape.record(raw(Int32(SW_ADD), a, b, "+"), from: [a, b]) { [p = a.shape, q = b.shape] g in
      [g.summed(to: p), g.summed(to: q)]
    }
  }

  package static func - (a: Tensor, b: Tensor) -> Tensor {
    Tape.record(raw(Int32(SW_SUBTRACT), a, b, "-"), from: [a, b]) { [p = a.shape, q = b.shape] g in
      [g.summed(to: p), (-g).summed(to: q)]
    }
  }

  /// The elementwise product.
  package static func * (a: Tensor, b: Tensor) -> Tensor {
    let (p, q) = (a.detached, b.detached)
    let (wantsA, wantsB) = (Tape.tracks(a), Tape.tracks(b))
    return Tape.record(raw(Int32(SW_MULTIPLY), a, b, "*"), from: [a, b]) { g in
      [wantsA ? (g * q).summed(to: p.shape) : nil, wantsB ? (g * p).summed(to: q.shape) : nil]
    }
  }

  package static func / (a: Tensor, b: Tensor) -> Tensor {
    let (p, q) = (a.detached, b.detached)
    let (wantsA, wantsB) = (Tape.tracks(a), Tape.tracks(b))
    return Tape.record(raw(Int32(SW_DIVIDE), a, b, "/"), from: [a, b]) { g in
      [
        wantsA ? (g / q).summed(to: p.shape) : nil,
        wantsB ? (-(g * p) / (q * q)).summed(to: q.shape) : nil,
      ]
    }
  }

  /// The elementwise maximum of two tensors of one shape; at a tie each gets half of the gradient.
  package static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { extremum(a, b, minimum: false) }

  /// The elementwise minimum of two tensors of one shape; at a tie each gets half of the gradient.
  package static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { extremum(a, b, minimum: true) }

  private static func extremum(_ a: Tensor, _ b: Tensor, minimum: Bool) -> Tensor {
    check(a.shape == b.shape, "\(minimum ? "minimum" : "maximum"): shapes \(a.shape) and \(b.shape) differ")
    let (p, q) = (a.detached, b.detached)
    let y = raw(Int32(minimum ? SW_MINIMUM : SW_MAXIMUM), p, q, "maximum")
    return Tape.record(y, from: [a, b]) { g in
      var ofQ: Tensor?
      let ofP = Tensor.make(p.shape) { out in
        ofQ = Tensor.make(q.shape) { other in
          withPointers(p, q, g) { sw_extremum_gradient(Int64(p.count), minimum ? 1 : 0, $0, $1, $2, out, other) }
        }
      }
      return [ofP, ofQ]
    }
  }
}
