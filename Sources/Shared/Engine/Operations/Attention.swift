// Scaled dot-product attention with any number of heads, without a tokens x tokens matrix. Queries, keys and values are
// read where a projection wrote them, in one tensor or in several: nothing is copied or transposed.

internal import CKernels

/// softmax(q k^T / sqrt(d)) v for each head (Vaswani et al., arXiv 1706.03762): q `[B, N, heads * d]`, k and v
/// `[B, M, heads * d]`, to `[B, N, heads * d]`. If `causal` is true, query i sees keys 0...i only.
package func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, causal: Bool = false) -> Tensor {
  check(
    q.rank == 3 && k.rank == 3 && k.shape == v.shape && q.shape[0] == k.shape[0] && q.shape[2] == k.shape[2]
      && q.shape[2] % heads == 0 && k.shape[1] > 0,
    "attention: q \(q.shape), k \(k.shape), v \(v.shape) and \(heads) heads do not fit; expected q "
      + "[B, N, heads * d], k and v [B, M, heads * d]")
  return attention([q, k, v], q: 0, k: 1, v: 2, columns: (0, 0, 0), width: q.shape[2], heads, causal)
}

/// Self-attention over one tensor of queries, keys and values, `[B, N, 3 * heads * d]`, to `[B, N, heads * d]`.
package func attention(queriesKeysValues x: Tensor, heads: Int, causal: Bool = false) -> Tensor {
  check(
    x.rank == 3 && x.shape[2] % (3 * heads) == 0 && x.shape[1] > 0,
    "attention: \(x.shape) does not fit \(heads) heads; expected [B, N, 3 * heads * d]")
  let width = x.shape[2] / 3
  return attention([x], q: 0, k: 0, v: 0, columns: (0, width, 2 * width), width: width, heads, causal)
}

/// Attention of queries `[B, N, heads * d]` over one tensor of keys and values, `[B, M, 2 * heads * d]`, to
/// `[B, N, heads * d]`.
package func attention(_ q: Tensor, keysValues x: Tensor, heads: Int) -> Tensor {
  check(
    q.rank == 3 && x.rank == 3 && q.shape[0] == x.shape[0] && x.shape[2] == 2 * q.shape[2]
      && q.shape[2] % heads == 0 && x.shape[1] > 0,
    "attention: q \(q.shape), keys and values \(x.shape) and \(heads) heads do not fit; expected q "
      + "[B, N, heads * d], keys and values [B, M, 2 * heads * d]")
  return attention([q, x], q: 0, k: 1, v: 1, columns: (0, 0, q.shape[2]), width: q.shape[2], heads, false)
}

/// The implementation of the functions above. `q`, `k` and `v` are indices of inputs, `columns` the first column of
/// each in its input.
private func attention(
  _ inputs: [Tensor], q: Int, k: Int, v: Int, columns: (q: Int, k: Int, v: Int), width: Int, _ heads: Int,
  _ causal: Bool
) -> Tensor {
  let held = inputs.map(\.detached)
  let (batch, n, m) = (held[q].shape[0], held[q].shape[1], held[k].shape[1])
  let shape = sw_attention_shape(
    batch: Int64(batch), heads: Int64(heads), n: Int64(n), m: Int64(m), d: Int64(width / heads),
    q_stride: Int64(held[q].shape[2]), k_stride: Int64(held[k].shape[2]), causal: causal ? 1 : 0,
    scale: 1 / Float(width / heads).squareRoot())
  var sums = Tensor.zeros([0])
  let y = withPointers(held[q], held[k], held[v]) { q_, k_, v_ in
    Tensor.make([batch, n, width]) { out in
      sums = Tensor.make([batch, heads, n]) { lse in
        withUnsafePointer(to: shape) {
          sw_attention($0, q_ + columns.q, k_ + columns.k, v_ + columns.v, out, lse)
        }
      }
    }
  }
  let kept = sums
  return Tape.record(y, from: inputs) { g in
    let gradients = held.map { Storage(count: $0.count) }
    withPointers(held[q], held[k], held[v]) { q_, k_, v_ in
      withPointers(y, kept, g) { y_, l_, g_ in
        withUnsafePointer(to: shape) {
          sw_attention_gradient(
            $0, q_ + columns.q, k_ + columns.k, v_ + columns.v, y_, l_, g_, gradients[q].pointer + columns.q,
            gradients[k].pointer + columns.k, gradients[v].pointer + columns.v)
        }
      }
    }
    return zip(gradients, held).map { Tensor(storage: $0, shape: $1.shape) }
  }
}
