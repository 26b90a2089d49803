// Scaled dot-product attention with any number of heads, without a tokens x tokens matrix.

internal import CKernels

/// softmax(q k^T / sqrt(d)) v, head by head (Vaswani et al., arXiv 1706.03762).
///
/// - Parameters:
///   - q: `[B, N, heads * d]`.
///   - k: `[B, M, heads * d]`.
///   - v: `[B, M, heads * d]`.
///   - causal: query i sees keys 0...i only.
/// - Returns: `[B, N, heads * d]`.
public func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, causal: Bool = false) -> Tensor {
  check(
    q.rank == 3 && k.rank == 3 && k.shape == v.shape && q.shape[0] == k.shape[0] && q.shape[2] == k.shape[2]
      && q.shape[2] % heads == 0 && k.shape[1] > 0,
    "attention: q \(q.shape), k \(k.shape), v \(v.shape), \(heads) heads")
  let d = q.shape[2] / heads
  let shape = sw_attention_shape(
    batch: Int64(q.shape[0]), heads: Int64(heads), n: Int64(q.shape[1]), m: Int64(k.shape[1]), d: Int64(d),
    causal: causal ? 1 : 0, scale: 1 / Float(d).squareRoot())
  var sums = Tensor.zeros([0])
  let y = withPointers(q, k, v) { q_, k_, v_ in
    Tensor.make(q.shape) { out in
      sums = Tensor.make([q.shape[0], heads, q.shape[1]]) { lse in
        withUnsafePointer(to: shape) { sw_attention($0, q_, k_, v_, out, lse) }
      }
    }
  }
  let (pq, pk, pv, kept) = (q.detached, k.detached, v.detached, sums)
  return Tape.record(y, from: [q, k, v]) { g in
    let gq = Storage(count: pq.count), gk = Storage(count: pk.count), gv = Storage(count: pv.count)
    withPointers(pq, pk, pv) { q_, k_, v_ in
      withPointers(y, kept, g) { y_, l_, g_ in
        withUnsafePointer(to: shape) {
          sw_attention_gradient($0, q_, k_, v_, y_, l_, g_, gq.pointer, gk.pointer, gv.pointer)
        }
      }
    }
    return [
      Tensor(storage: gq, shape: pq.shape), Tensor(storage: gk, shape: pk.shape), Tensor(storage: gv, shape: pv.shape),
    ]
  }
}
