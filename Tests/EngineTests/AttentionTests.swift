// Attention over several blocks of queries and keys, and over packed projections.

import Engine
import Testing

@Suite struct AttentionTests {
  init() throws { try Compute.start() }

  /// Attention with the whole matrix of scores of each head.
  private func expected(_ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, causal: Bool) -> Tensor {
    let (n, m, width) = (q.shape[1], k.shape[1], q.shape[2] / heads)
    let hidden = Tensor((0..<n * m).map { Float(causal && $0 % m > $0 / m ? -1e9 : 0) }, shape: [1, n, m])
    let results = (0..<heads).map { head in
      let part = head * width..<(head + 1) * width
      let scores = q.slice(axis: 2, part).matmul(k.slice(axis: 2, part).permuted([0, 2, 1]))
      return (scores / Float(width).squareRoot() + hidden).softmax().matmul(v.slice(axis: 2, part))
    }
    return Tensor.concatenated(results, axis: 2)
  }

  @Test(
    arguments: [
      (1, 2, 8, 1, false), (9, 77, 16, 2, false), (70, 13, 16, 2, false), (130, 130, 16, 2, true),
      (130, 1100, 4, 1, false), (700, 700, 4, 1, true), (1100, 130, 4, 1, true), (140, 600, 70, 1, false),
    ])
  func `attention equals the reference, over several blocks too, and so do its gradients`(
    n: Int, m: Int, width: Int, heads: Int, causal: Bool
  ) {
    var random = RandomStream(seed: 31)
    // With many keys the scores reach some tens, so that the running maximum changes. With few keys such scores would
    // leave no gradient.
    let scale: Float = m > 100 ? 6 : 0.5
    let inputs = [random.normal([2, n, width]) * scale, random.normal([2, m, width]) * 3, random.normal([2, m, width])]
    let weights = random.normal([2, n, width])
    let fast = Tape.gradients(of: inputs) {
      let y = attention($0[0], $0[1], $0[2], heads: heads, causal: causal)
      return ((y * weights).sum(), y.detached)
    }
    let slow = Tape.gradients(of: inputs) {
      let y = expected($0[0], $0[1], $0[2], heads: heads, causal: causal)
      return ((y * weights).sum(), y.detached)
    }
    #expect(worstError(fast.extra.values, slow.extra.values) < 1e-5)
    for (a, b) in zip(fast.inputs, slow.inputs) { #expect(worstError(a.values, b.values) < 5e-5) }
  }

  @Test(arguments: [1, 3])
  func `packed queries, keys and values give the same values and gradients as separate ones`(heads: Int) {
    var random = RandomStream(seed: 32)
    let width = 5 * heads, weights = random.normal([2, 9, width])
    let all = random.normal([2, 9, 3 * width]), context = random.normal([2, 4, 2 * width])
    func parts(_ x: Tensor, _ count: Int) -> [Tensor] {
      (0..<count).map { x.slice(axis: 2, $0 * width..<($0 + 1) * width) }
    }
    let together = Tape.gradients(of: [all]) {
      let y = attention(queriesKeysValues: $0[0], heads: heads)
      return ((y * weights).sum(), y.detached)
    }
    let apart = Tape.gradients(of: [all]) {
      let p = parts($0[0], 3), y = attention(p[0], p[1], p[2], heads: heads)
      return ((y * weights).sum(), y.detached)
    }
    #expect(together.extra.values == apart.extra.values)
    #expect(together.inputs[0].values == apart.inputs[0].values)
    let query = parts(all, 3)[0]
    let crossed = Tape.gradients(of: [query, context]) {
      ((attention($0[0], keysValues: $0[1], heads: heads) * weights).sum(), ())
    }
    let separate = Tape.gradients(of: [query, context]) {
      let p = parts($0[1], 2)
      return ((attention($0[0], p[0], p[1], heads: heads) * weights).sum(), ())
    }
    for (a, b) in zip(crossed.inputs, separate.inputs) { #expect(a.values == b.values) }
  }
}
