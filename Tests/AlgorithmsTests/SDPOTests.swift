// Edge cases of SDPO. GoldenTests compares its numbers with the published code.

import Algorithms
import Diffusion
import Engine
import Foundation
import Settings
import Testing

@Suite struct SDPOTests {
  private func terms(_ logProbabilities: Tensor, behaviour: [Float], advantages: [Float], steps: [Int]) -> PolicyTerms {
    let shape = [2, steps.count]
    return PolicyTerms(
      logProbabilities: logProbabilities, behaviour: Tensor(behaviour, shape: shape),
      advantages: Tensor(advantages, shape: shape), steps: steps)
  }

  @Test func `before the first update the loss is the squared advantage gap, and nothing is clipped`() throws {
    let sdpo = try SDPO(MethodSettings())
    let old: [Float] = [-1, -2, -1.5, 0.5]
    let (loss, metrics) = sdpo.loss(
      terms(Tensor(old, shape: [2, 2]), behaviour: old, advantages: [1, 9, -1, 0], steps: [0, 3]))
    // Advantages are limited to ±5 before the difference: (1 + 1)² and (5 - 0)².
    #expect(loss.item == 14.5)
    #expect(metrics.clipFraction == 0)
    #expect(metrics.logRatioMean == 0 && metrics.logRatioStd == 0 && metrics.logRatioMax == 0)
  }

  @Test func `the gradient raises the probability of the better trajectory and lowers the other`() throws {
    let sdpo = try SDPO(MethodSettings())
    let result = Tape.gradients(of: [Tensor([-1, -1], shape: [2, 1])]) { inputs in
      (sdpo.loss(terms(inputs[0], behaviour: [-1, -1], advantages: [2, -1], steps: [1])).loss, ())
    }
    let gradient = result.inputs[0].values
    // The derivative of (λΔ - 3)² with respect to the first log-probability at Δ = 0 is -6λ; descent raises it.
    #expect(abs(gradient[0] + 6 * 0.99) < 1e-5)
    #expect(abs(gradient[1] - 6 * 0.99) < 1e-5)
  }

  @Test func `a log-ratio beyond the clip in the right direction has no gradient`() throws {
    let sdpo = try SDPO(MethodSettings())
    let result = Tape.gradients(of: [Tensor([-0.9, -1.1], shape: [2, 1])]) { inputs in
      let (loss, metrics) = sdpo.loss(terms(inputs[0], behaviour: [-1, -1], advantages: [2, -1], steps: [0]))
      return (loss, metrics)
    }
    #expect(result.extra.clipFraction == 1)
    #expect(result.inputs[0].values == [0, 0])
  }

  @Test func `statistics survive a checkpoint to the bit, and another ring size is refused`() throws {
    var random = RandomStream(seed: 5)
    func batch() -> [[Float]] { (0..<6).map { _ in random.normal([3]).values } }
    let prompts = ["cat", "dog", "cat", "cat", "dog", "cat"]
    var options = MethodSettings()
    options.training.statisticsBufferSize = 8
    options.training.statisticsMinimumCount = 4
    var original = try SDPO(options)
    for _ in 0..<3 { _ = original.advantages(denseRewards: batch(), prompts: prompts) }
    var copy = try SDPO(options)
    try copy.restore(original.state())
    let next = batch()
    let advantages = original.advantages(denseRewards: next, prompts: prompts)
    #expect(advantages == copy.advantages(denseRewards: next, prompts: prompts))
    #expect(try original.state() == copy.state())
    var other = try SDPO(MethodSettings())
    #expect(throws: AlgorithmError.self) { try other.restore(original.state()) }
  }
}
