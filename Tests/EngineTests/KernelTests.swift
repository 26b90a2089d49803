// Kernels against slow references, over awkward sizes.

import Engine
import Foundation
import Testing

/// The largest difference between `a` and `b`, relative to the largest element of `b`.
func worstError(_ a: [Float], _ b: [Float]) -> Float {
  let largest = b.map(Swift.abs).max() ?? 0
  return zip(a, b).map { Swift.abs($0 - $1) }.max().map { $0 / Swift.max(largest, 1e-30) } ?? 0
}

@Suite struct KernelTests {
  init() throws { try Compute.start() }

  @Test(arguments: [0, 1, 7, 8, 9, 4097, 20000])
  func `elementwise functions equal those of the C library`(count: Int) {
    var random = RandomStream(seed: 3)
    let x = random.normal([count]) * 4
    let values = x.values
    func expect(_ found: Tensor, _ f: (Double) -> Double, _ tolerance: Float = 1e-6) {
      let wanted = values.map { Float(f(Double($0))) }
      let worst = zip(found.values, wanted).map { Swift.abs($0 - $1) / Swift.max(Swift.abs($1), 1) }.max() ?? 0
      #expect(worst < tolerance)
    }
    expect(x.exp(), { exp($0) })
    expect(x.tanh(), { tanh($0) })
    expect(x.silu(), { $0 / (1 + exp(-$0)) })
    expect(x.gelu(), { $0 * 0.5 * (1 + erf($0 / 2.0.squareRoot())) })
    expect(x.logSigmoid(), { -log1p(exp(-$0)) })
    expect(x.relu(), { max($0, 0) })
    expect(x.clamped(-1, 2), { min(max($0, -1), 2) })
  }

  @Test func `sums of many elements keep their precision`() {
    let x = Tensor(repeating: 0.1, shape: [1_000_000])
    #expect(Swift.abs(x.sum().item - 100_000) < 0.2)
  }

  @Test func `group norm is precise for values far from zero`() {
    var random = RandomStream(seed: 6)
    let x = random.normal([2, 6, 5, 8]) + 1000
    let y = groupNorm(x, Tensor.ones([8]), Tensor.zeros([8]), groups: 2, epsilon: 1e-5)
    let z = x.reshaped([2, 30, 2, 4])
    let centred = z - z.mean(axes: [1, 3], keepAxes: true)
    let expected = centred / (centred.squared().mean(axes: [1, 3], keepAxes: true) + 1e-5).sqrt()
    #expect(worstError(y.values, expected.values) < 1e-3)
  }

  @Test func `streams of different labels and numbers differ`() {
    let seed = RandomStream(seed: 9)
    let streams = [
      seed, seed.fork(""), seed.fork("ab"), seed.fork("a").fork("b"), seed.fork("a"), seed.fork("a", 98),
      seed.fork("a", 0), seed.fork("a", 0, 0), seed.fork("a", 0).fork(""), seed.fork("a", -1), seed.fork("a\0"),
    ]
    #expect(Set(streams).count == streams.count)
  }

  @Test func `random streams are reproducible and independent, and have the right mean and standard deviation`() {
    var a = RandomStream(seed: 9).fork("x", 1), b = RandomStream(seed: 9).fork("x", 1)
    var c = RandomStream(seed: 9).fork("x", 2)
    let (first, second, third) = (a.normal([20000]), b.normal([20000]), c.normal([20000]))
    #expect(first.values == second.values)
    #expect(first.values != third.values)
    #expect(Swift.abs(first.mean().item) < 0.03)
    #expect(Swift.abs(first.squared().mean().item - 1) < 0.05)
    #expect(Swift.abs((first * third).mean().item) < 0.03)
    #expect(a.normal([4]).values != first.slice(axis: 0, 0..<4).values)
    #expect(Set((0..<1000).map { _ in c.integer(below: 7) }) == Set(0..<7))
    #expect(c.permutation(50).sorted() == Array(0..<50))
  }

  @Test func `Philox gives the published numbers`() {
    // The known answers of Random123 for philox4x32-10 with counter 0 and key 0.
    let expected: [UInt32] = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
    #expect(RandomStream.philoxBlock(key: 0, counter: 0) == expected)
  }
}
