// Matrix products of two tensors, with gradients for both.

internal import CKernels

extension Tensor {
  /// The sums over all axes but the last: the gradient of a bias.
  var columnSums: Tensor { view([count / shape[rank - 1], shape[rank - 1]]).sum(axes: [0]) }

  /// The matrix product of the last two axes. Earlier axes must be equal, or absent in `other`.
  package func matmul(_ other: Tensor) -> Tensor {
    check(rank >= 2 && other.rank >= 2, "matmul: expected at least two axes each, found \(shape) and \(other.shape)")
    if other.rank == 2 && rank > 2 {
      let flat = reshaped([-1, shape[rank - 1]]).matmul(other)
      return flat.reshaped(shape.dropLast() + [other.shape[1]])
    }
    return Tensor.product(self, other, false, false)
  }

  /// op(a) op(b) for each matrix of a batch; op may transpose the last two axes.
  private static func product(_ a: Tensor, _ b: Tensor, _ transposeA: Bool, _ transposeB: Bool) -> Tensor {
    let (ra, rb) = (a.rank, b.rank)
    let (m, k) = transposeA ? (a.shape[ra - 1], a.shape[ra - 2]) : (a.shape[ra - 2], a.shape[ra - 1])
    let (l, n) = transposeB ? (b.shape[rb - 1], b.shape[rb - 2]) : (b.shape[rb - 2], b.shape[rb - 1])
    check(
      k == l && a.shape.dropLast(2) == b.shape.dropLast(2), "matmul: shapes \(a.shape) and \(b.shape) do not fit")
    let lead = Array(a.shape.dropLast(2))
    let y = withPointers(a, b) { a_, b_ in
      make(lead + [m, n]) {
        sw_batched_gemm(
          Int64(lead.product), transposeA ? 1 : 0, transposeB ? 1 : 0, Int64(m), Int64(n), Int64(k), a_, b_, $0)
      }
    }
    let (p, q) = (a.detached, b.detached)
    let (wantsA, wantsB) = (Tape.tracks(a), Tape.tracks(b))
    check(
      !(wantsA || wantsB) || !(transposeA || transposeB), "matmul: transposed products cannot be differentiated")
    return Tape.record(y, from: [a, b]) { g in
      // ga = g b^T, gb = a^T g
      [wantsA ? product(g, q, false, true) : nil, wantsB ? product(p, g, true, false) : nil]
    }
  }
}
