// The gradient of every differentiable operation against central differences, over awkward shapes.

import Engine
import Testing

/// The largest difference between the gradient of sum(weights * f(x)) from the tape and a central difference with step
/// 1e-2, relative to the largest gradient.
func worstGradientError(_ shapes: [[Int]], seed: UInt64 = 1, _ f: ([Tensor]) -> Tensor) throws -> Float {
  try Compute.start()
  var random = RandomStream(seed: seed)
  let inputs = shapes.map { random.normal($0) }
  let weights = random.normal(f(inputs).shape)
  let result = Tape.gradients(of: inputs) { ((f($0) * weights).sum(), ()) }
  func value(_ inputs: [Tensor]) -> Double {
    zip(f(inputs).values, weights.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  var worst: Float = 0
  for (place, input) in inputs.enumerated() {
    let largest = result.inputs[place].values.map(Swift.abs).max() ?? 1
    for _ in 0..<12 where input.count > 0 {
      let element = random.integer(below: input.count), h: Float = 1e-2
      func moved(_ by: Float) -> Double {
        var values = input.values
        values[element] += by
        var changed = inputs
        changed[place] = Tensor(values, shape: input.shape)
        return value(changed)
      }
      let expected = Float((moved(h) - moved(-h)) / Double(2 * h))
      worst = max(worst, Swift.abs(expected - result.inputs[place].values[element]) / max(largest, 1e-3))
    }
  }
  return worst
}

@Suite struct GradientTests {
  /// The error of a central difference with step 1e-2 is about 1e-4 / 6 times the third derivative.
  static let tolerance: Float = 5e-3

  static let unary: [(String, @Sendable (Tensor) -> Tensor)] = [
    ("exp", { $0.exp() }), ("log", { ($0.abs() + 1).log() }), ("sqrt", { ($0.abs() + 1).sqrt() }),
    ("squared", { $0.squared() }), ("tanh", { $0.tanh() }),
    ("logSigmoid", { $0.logSigmoid() }), ("silu", { $0.silu() }), ("gelu", { $0.gelu() }),
    ("quickGelu", { $0.quickGelu() }), ("negation", { -$0 }), ("affine", { 2 * $0 - 1 }),
    ("division", { 1 / ($0.abs() + 1) }), ("softmax", { $0.softmax() }), ("logSoftmax", { $0.logSoftmax() }),
    ("sum", { $0.sum(axes: [0]) }), ("mean", { $0.mean(axes: [1], keepAxes: true) }),
    ("permuted", { $0.permuted([1, 0]) }), ("slice", { $0.slice(axis: 1, 1..<3) }),
    ("rows", { $0.rows([2, 0, 2]) }), ("reshaped", { $0.reshaped([-1]) }),
    ("concatenated", { Tensor.concatenated([$0, $0.squared()], axis: 1) }),
    ("unit length", { $0 / $0.squared().sum(axes: [1], keepAxes: true).sqrt() }),
  ]

  static let names: [String] = unary.map(\.0)

  @Test(arguments: GradientTests.names)
  func `the gradient of a function of one tensor agrees with central differences`(name: String) throws {
    let f = try #require(Self.unary.first { $0.0 == name }).1
    #expect(try worstGradientError([[3, 7]]) { f($0[0]) } < Self.tolerance)
  }

  @Test(arguments: [[[2, 3, 5], [3, 1]], [[4, 1], [1, 6]], [[5], [2, 5]], [[], [3]]])
  func `gradients under broadcasting agree with central differences`(shapes: [[Int]]) throws {
    #expect(try worstGradientError(shapes) { $0[0] + $0[1] } < Self.tolerance)
    #expect(try worstGradientError(shapes) { $0[0] - $0[1] } < Self.tolerance)
    #expect(try worstGradientError(shapes) { $0[0] * $0[1] } < Self.tolerance)
    #expect(try worstGradientError(shapes) { $0[0] / ($0[1].squared() + 1) } < Self.tolerance)
  }

  @Test func `gradients of maximum and minimum agree with central differences`() throws {
    #expect(try worstGradientError([[40], [40]]) { Tensor.maximum($0[0], $0[1] * 3) } < Self.tolerance)
    #expect(try worstGradientError([[40], [40]]) { Tensor.minimum($0[0], $0[1] * 3) } < Self.tolerance)
  }

  @Test func `the gradient of a gated linear unit agrees with central differences`() throws {
    #expect(try worstGradientError([[5, 18]]) { $0[0].geglu() } < Self.tolerance)
  }

  @Test(arguments: [(1, 1, 1), (7, 9, 8), (33, 17, 40)])
  func `gradients of products agree with central differences`(m: Int, n: Int, k: Int) throws {
    #expect(try worstGradientError([[m, k], [n, k], [n]]) { linear($0[0], $0[1], $0[2]) } < Self.tolerance)
    #expect(try worstGradientError([[2, m, k], [2, k, n]]) { $0[0].matmul($0[1]) } < Self.tolerance)
    #expect(try worstGradientError([[2, m, k], [k, n]]) { $0[0].matmul($0[1]) } < Self.tolerance)
  }

  @Test(arguments: [false, true])
  func `gradients of group norm and layer norm agree with central differences`(silu: Bool) throws {
    let group = try worstGradientError([[2, 5, 3, 8], [8], [8]]) {
      groupNorm($0[0], $0[1], $0[2], groups: 4, epsilon: 1e-5, silu: silu)
    }
    #expect(group < Self.tolerance)
    let layer = try worstGradientError([[6, 9], [9], [9]]) { layerNorm($0[0], $0[1], $0[2], epsilon: 1e-5) }
    #expect(layer < Self.tolerance)
  }

  @Test func `no gradient flows through values that are detached, clamped or not recorded`() throws {
    try Compute.start()
    let x = Tensor([-2, 0.5, 3], shape: [3])
    let result = Tape.gradients(of: [x]) { inputs in
      let limited = inputs[0].clamped(-1, 1).sum()
      let constant = Tape.withoutGradients { inputs[0].squared().sum() }
      return (limited + inputs[0].detached.sum() + constant, ())
    }
    #expect(result.inputs[0].values == [0, 1, 0])
  }

  @Test func `the gradient of a parameter is the sum over its uses`() throws {
    try Compute.start()
    let w = Parameter(name: "w", value: Tensor([1, 2, 3], shape: [3]), isTrainable: true)
    let result = Tape.gradients { _ in ((w.tensor * w.tensor).sum() + w.tensor.sum(), ()) }
    #expect(result.parameters[w]?.values == [3, 5, 7])
    #expect(w.value.values == [1, 2, 3])
  }
}
