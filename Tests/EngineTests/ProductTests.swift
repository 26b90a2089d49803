// Products against sums in double precision, over sizes at the edges of the blocks of the kernels: 14 rows, 16 and 32
// columns, 512 columns and 384 elements of the inner axis. Rows that are 1,024 floats apart take another path.

import Engine
import Testing

@Suite struct ProductTests {
  init() throws { try Compute.start() }

  /// x w^T + bias + residual, as sums in double precision.
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
    [1, 1, 1], [1, 33, 2], [13, 15, 16], [14, 16, 17], [15, 17, 31], [29, 48, 33], [28, 24, 385], [31, 513, 40],
    [2, 290, 769], [300, 3, 100], [4097, 4, 8],
    [15, 31, 900], [1, 32, 64], [16, 33, 65], [17, 47, 95], [33, 48, 513], [49, 1050, 600], [64, 64, 1100],
    [29, 530, 1024],
  ]

  @Test(arguments: ProductTests.sizes)
  func `an affine product with bias and residual equals the reference`(size: [Int]) {
    var random = RandomStream(seed: 21)
    let x = random.normal([size[0], size[2]]), w = random.normal([size[1], size[2]])
    let bias = random.normal([size[1]]), residual = random.normal([size[0], size[1]])
    #expect(worstError(linear(x, w).values, expected(x, w, nil, nil)) < 1e-5)
    #expect(worstError(linear(x, w, bias).values, expected(x, w, bias, nil)) < 1e-5)
    #expect(worstError(linear(x, w, nil, residual: residual).values, expected(x, w, nil, residual)) < 1e-5)
    #expect(worstError(linear(x, w, bias, residual: residual).values, expected(x, w, bias, residual)) < 1e-5)
    #expect(worstError(x.matmul(w.permuted([1, 0])).values, expected(x, w, nil, nil)) < 1e-5)
  }

  @Test(arguments: [[3, 5, 7], [33, 50, 70], [40, 100, 600], [1024, 20, 400]])
  func `a product with a transposed left operand equals the reference`(size: [Int]) {
    var random = RandomStream(seed: 24)
    let x = random.normal([size[2], size[0]]), g = random.normal([size[2], size[1]])
    let w = Tensor.zeros([size[1], size[0]])
    // The gradient of the weight is g^T x.
    let found = Tape.gradients(of: [w]) { ((linear(x, $0[0]) * g).sum(), ()) }.inputs[0]
    #expect(worstError(found.values, expected(g.permuted([1, 0]), x.permuted([1, 0]), nil, nil)) < 1e-5)
  }

  @Test(arguments: [[40, 70], [64, 600], [300, 30]])
  func `a row of a product has the same bits for any number of other rows`(size: [Int]) {
    var random = RandomStream(seed: 25)
    let x = random.normal([70, size[1]]), w = random.normal([size[0], size[1]])
    let all = linear(x, w)
    for rows in [0..<1, 5..<22, 38..<70] {
      #expect(linear(x.slice(axis: 0, rows), w).values == all.slice(axis: 0, rows).values)
    }
  }

  @Test func `products of very small and very large numbers have the precision of float32`() {
    var random = RandomStream(seed: 26)
    let x = random.normal([20, 128]), w = random.normal([40, 128]), reference = linear(x, w).values
    for scale in [1e-30, 1e-10, 1e10, 1e30] as [Float] {
      #expect(worstError(linear(x * scale, w / scale).values, reference) < 1e-6)
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func `an element that is not finite makes exactly its row or column of a product not finite`(value: Float) {
    var values = [Float](repeating: 1, count: 64 * 40)
    values[64 * 3 + 20] = value
    let x = Tensor(values, shape: [40, 64])
    for (index, y) in linear(x, Tensor.ones([33, 64])).values.enumerated() { #expect(y.isFinite == (index / 33 != 3)) }
    let transposed = linear(Tensor.ones([33, 64]), x).values
    for (index, y) in transposed.enumerated() { #expect(y.isFinite == (index % 40 != 3)) }
  }

  @Test func `a product fused with a layer norm has the same bits as two operations, and so do its gradients`() {
    var random = RandomStream(seed: 27)
    let inputs = [
      random.normal([5, 12]), random.normal([12]), random.normal([12]), random.normal([7, 12]), random.normal([2, 12]),
      random.normal([7, 2]),
    ]
    let g = random.normal([5, 7])
    func layers(_ t: [Tensor]) -> [AffineWeights] {
      [AffineWeights(weight: t[3], adapter: LowRank(down: t[4], up: t[5], scale: 0.5))]
    }
    let together = Tape.gradients(of: inputs) { t in
      let norm = LayerNormWeights(weight: t[1], bias: t[2], epsilon: 1e-5)
      let y = linear(t[0], after: norm, layers(t))
      return ((y * g).sum(), y.detached)
    }
    let apart = Tape.gradients(of: inputs) { t in
      let y = linear(layerNorm(t[0], t[1], t[2], epsilon: 1e-5), layers(t))
      return ((y * g).sum(), y.detached)
    }
    #expect(together.extra.values == apart.extra.values)
    for (a, b) in zip(together.inputs, apart.inputs) { #expect(a.values == b.values) }
  }

  @Test func `a product over an empty inner axis is the bias`() {
    let y = linear(Tensor.zeros([2, 0]), Tensor.zeros([2, 0]), Tensor([1, 2], shape: [2]))
    #expect(y.values == [1, 2, 1, 2])
    #expect(linear(Tensor.zeros([0, 3]), Tensor.zeros([2, 3])).shape == [0, 2])
  }

  @Test func `the product of several layers joins the results of the layers and of their adapters`() {
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

  @Test(arguments: [[1, 5, 7, 1], [40, 33, 20, 4], [9, 600, 500, 5], [300, 70, 33, 64], [17, 18, 1024, 3]])
  func `a product with an adapter equals the product with the summed weight, and so does the gradient`(size: [Int]) {
    var random = RandomStream(seed: 28)
    let (m, n, k, rank) = (size[0], size[1], size[2], size[3])
    let x = random.normal([m, k]), w = random.normal([n, k]), g = random.normal([m, n])
    let adapter = LowRank(down: random.normal([rank, k]), up: random.normal([n, rank]), scale: 0.3)
    let sum = w + adapter.up.matmul(adapter.down) * 0.3
    let found = Tape.gradients(of: [x]) { t in
      let y = linear(t[0], [AffineWeights(weight: w, adapter: adapter)])
      return ((y * g).sum(), y.detached)
    }
    #expect(worstError(found.extra.values, expected(x, sum, nil, nil)) < 1e-5)
    #expect(worstError(found.inputs[0].values, expected(g, sum.permuted([1, 0]), nil, nil)) < 1e-5)
  }

  @Test func `gradients of all inputs of an affine product agree with central differences`() throws {
    let error = try worstGradientError([[6, 10], [5, 10], [5], [8, 10], [8], [2, 10], [8, 2], [6, 13]]) { t in
      let layers = [
        AffineWeights(weight: t[1], bias: t[2]),
        AffineWeights(weight: t[3], bias: t[4], adapter: LowRank(down: t[5], up: t[6], scale: 0.5)),
      ]
      return linear(t[0], layers, residual: t[7])
    }
    #expect(error < GradientTests.tolerance)
  }

  @Test func `frozen weights get no gradient`() {
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
