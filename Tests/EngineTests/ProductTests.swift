// Products against sums in double precision, over sizes at the edges of the kernels' blocks: 14 rows, 16 and 32 columns,
// 256 columns and 384 of the inner axis at a time.

import Engine
import Testing

@Suite("Products and what is fused into them")
struct ProductTests {
  init() throws { try Compute.start() }

  /// x w^T + bias + residual, the slow way.
  private func expected(_ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ residual: Tensor?) -> [Float] {
    let (m, n, k) = (x.shape[0], w.shape[0], x.shape[1])
    let (xv, wv, bv, rv) = (x.values, w.values, bias?.values, residual?.values)
    return (0..<m).flatMap { i in
      (0..<n).map { j in
        let sum = (0..<k).reduce(0.0) { $0 + Double(xv[i * k + $1]) * Double(wv[j * k + $1]) }
        return Float(sum + Double(bv?[j] ?? 0) + Double(rv?[i * n + j] ?? 0))
      }
    }
  }

  static let sizes: [[Int]] = [
    [1, 1, 1], [1, 33, 2], [13, 15, 16], [14, 16, 17], [15, 17, 31], [29, 48, 33], [28, 24, 385], [31, 257, 40],
    [2, 290, 769], [300, 3, 100], [4097, 4, 8],
  ]

  @Test("with bias and residual", arguments: ProductTests.sizes)
  func affine(size: [Int]) {
    var random = RandomStream(seed: 21)
    let x = random.normal([size[0], size[2]]), w = random.normal([size[1], size[2]])
    let bias = random.normal([size[1]]), residual = random.normal([size[0], size[1]])
    #expect(worstError(linear(x, w).values, expected(x, w, nil, nil)) < 1e-5)
    #expect(worstError(linear(x, w, bias).values, expected(x, w, bias, nil)) < 1e-5)
    #expect(worstError(linear(x, w, nil, residual: residual).values, expected(x, w, nil, residual)) < 1e-5)
    #expect(worstError(linear(x, w, bias, residual: residual).values, expected(x, w, bias, residual)) < 1e-5)
    #expect(worstError(x.matmul(w.permuted([1, 0])).values, expected(x, w, nil, nil)) < 1e-5)
  }

  @Test("of an empty inner axis are bias and residual")
  func emptySum() {
    let y = linear(Tensor.zeros([2, 0]), Tensor.zeros([2, 0]), Tensor([1, 2], shape: [2]))
    #expect(y.values == [1, 2, 1, 2])
    #expect(linear(Tensor.zeros([0, 3]), Tensor.zeros([2, 3])).shape == [0, 2])
  }

  @Test("of several layers are the layers' results side by side, with adapters as if they were separate layers")
  func together() {
    var random = RandomStream(seed: 22)
    let x = random.normal([9, 20]), first = random.normal([7, 20]), second = random.normal([18, 20])
    let down = random.normal([3, 20]), up = random.normal([18, 3])
    let adapter = LowRank(down: down, up: up, scale: 0.5)
    let y = linear(x, [AffineWeights(weight: first), AffineWeights(weight: second, adapter: adapter)])
    #expect(y.shape == [9, 25])
    #expect(worstError(y.slice(axis: 1, 0..<7).values, linear(x, first).values) < 1e-5)
    let separate = linear(x, second) + linear(linear(x, down), up) * 0.5
    #expect(worstError(y.slice(axis: 1, 7..<25).values, separate.values) < 1e-5)
  }

  @Test("have gradients that agree with central differences, of all that goes into them")
  func gradients() throws {
    let error = try worstGradientError([[6, 10], [5, 10], [5], [8, 10], [8], [2, 10], [8, 2], [6, 13]]) { t in
      let layers = [
        AffineWeights(weight: t[1], bias: t[2]),
        AffineWeights(weight: t[3], bias: t[4], adapter: LowRank(down: t[5], up: t[6], scale: 0.5)),
      ]
      return linear(t[0], layers, residual: t[7])
    }
    #expect(error < GradientTests.tolerance)
  }

  @Test("compute no gradients for what is frozen")
  func frozen() {
    var random = RandomStream(seed: 23)
    let weight = Parameter(name: "w", value: random.normal([4, 4]))
    let down = Parameter(name: "a", value: random.normal([2, 4]), isTrainable: true)
    let up = Parameter(name: "b", value: random.normal([4, 2]), isTrainable: true)
    let x = random.normal([3, 4])
    let result = Tape.gradients { _ in
      let adapter = LowRank(down: down.tensor, up: up.tensor, scale: 1)
      return (linear(x, [AffineWeights(weight: weight.tensor, adapter: adapter)]).sum(), ())
    }
    #expect(result.parameters[weight] == nil)
    #expect(result.parameters[down]?.shape == [2, 4])
    #expect(result.parameters[up]?.shape == [4, 2])
  }
}
