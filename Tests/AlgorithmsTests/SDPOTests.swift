// SDPO's parts at their edges; that its numbers are the published code's is GoldenTests' part.

import Algorithms
import Diffusion
import Engine
import Foundation
import Settings
import Testing

@Suite("SDPO")
struct SDPOTests {
  private func terms(_ logProbabilities: Tensor, behaviour: [Float], advantages: [Float], steps: [Int]) -> PolicyTerms {
    let shape = [2, steps.count]
    return PolicyTerms(
      logProbabilities: logProbabilities, behaviour: Tensor(behaviour, shape: shape),
      advantages: Tensor(advantages, shape: shape), steps: steps)
  }

  @Test("Before the first update log-ratios are zero, nothing is clipped, and the loss is the squared advantage gap")
  func freshData() throws {
    let sdpo = try SDPO(MethodSettings())
    let old: [Float] = [-1, -2, -1.5, 0.5]
    let (loss, metrics) = sdpo.loss(
      terms(Tensor(old, shape: [2, 2]), behaviour: old, advantages: [1, 9, -1, 0], steps: [0, 3]))
    // Advantages are limited to 5 before the difference: (1 + 1)² and (5 - 0)².
    #expect(loss.item == 14.5)
    #expect(metrics.clipFraction == 0)
    #expect(metrics.logRatioMean == 0 && metrics.logRatioStd == 0 && metrics.logRatioMax == 0)
  }

  @Test("The gradient raises the probability of the better trajectory and lowers that of the worse")
  func gradientDirection() throws {
    let sdpo = try SDPO(MethodSettings())
    let result = Tape.gradients(of: [Tensor([-1, -1], shape: [2, 1])]) { inputs in
      (sdpo.loss(terms(inputs[0], behaviour: [-1, -1], advantages: [2, -1], steps: [1])).loss, ())
    }
    let gradient = result.inputs[0].values
    // d/dlp1 of (λ(Δ) - 3)² at Δ = 0 is -6λ; descending raises lp1.
    #expect(abs(gradient[0] + 6 * 0.99) < 1e-5)
    #expect(abs(gradient[1] - 6 * 0.99) < 1e-5)
  }

  @Test("A log-ratio that has moved past the clip the right way gets no further push")
  func clipping() throws {
    let sdpo = try SDPO(MethodSettings())
    let result = Tape.gradients(of: [Tensor([-0.9, -1.1], shape: [2, 1])]) { inputs in
      let (loss, metrics) = sdpo.loss(terms(inputs[0], behaviour: [-1, -1], advantages: [2, -1], steps: [0]))
      return (loss, metrics)
    }
    #expect(result.extra.clipFraction == 1)
    #expect(result.inputs[0].values == [0, 0])
  }

  @Test("Returns add up from the end")
  func returns() {
    #expect(discountedReturns([1, 2, 4], discount: 0.5) == [3, 4, 4])
    #expect(discountedReturns([7], discount: 0.99) == [7])
    #expect(discountedReturns([], discount: 0.99).isEmpty)
  }

  @Test("Statistics survive a checkpoint to the bit, and another ring size is refused")
  func resume() throws {
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
    #expect(
      original.advantages(denseRewards: next, prompts: prompts) == copy.advantages(denseRewards: next, prompts: prompts))
    #expect(try original.state() == copy.state())
    var other = try SDPO(MethodSettings())
    #expect(throws: AlgorithmError.self) { try other.restore(original.state()) }
  }

  @Test("Below the minimum count the batch's statistics at that step are taken")
  func shortRings() throws {
    var statistics = try PromptStatistics(bufferSize: 4, minimumCount: 3)
    let first = statistics.advantages(returns: [[1], [3]], prompts: ["a", "b"])
    #expect(first.map { $0[0].rounded() } == [-1, 1])
    // Now "a" holds 1, 5, 9: its own mean and deviation count; "b" holds one value: the batch's 5 and 9 count.
    let second = statistics.advantages(returns: [[5], [9]], prompts: ["a", "a"])
    #expect(second[0][0] == 0)
    #expect(abs(second[1][0] - 1.2247448) < 1e-5)
  }

  @Test("Without prompts' statistics one mean and deviation serves all steps")
  func batchStatistics() throws {
    let found = batchAdvantages(returns: [[0, 2], [4, 6]]).flatMap { $0 }
    #expect(abs(found.reduce(0, +)) < 1e-6)
    #expect(abs(found[3] - 3 / Float(5).squareRoot()) < 1e-6)
  }

  @Test("Settings that do not fit are refused in words")
  func refusals() {
    var options = MethodSettings()
    options.training.logRatioClip = 0
    #expect(throws: AlgorithmError.self) { try AlgorithmRegistry.make(options) }
    options = MethodSettings()
    options.training.statisticsMinimumCount = 64
    #expect(throws: AlgorithmError.self) { try AlgorithmRegistry.make(options) }
    options = MethodSettings()
    options.sampling.groupSize = 1
    #expect { try AlgorithmRegistry.make(options) } throws: { "\($0)".contains("sampling.groupSize") }
  }
}

@Suite("Step-shuffled updates")
struct StepShuffleTests {
  @Test("Every unit's every step is used once, and a slot uses every unit once", arguments: [(7, 4, 2, 2), (3, 1, 8, 1)])
  func coverage(_ sizes: (groups: Int, steps: Int, minibatch: Int, accumulation: Int)) {
    var random = RandomStream(seed: 3)
    let updates = stepShuffledUpdates(
      units: sizes.groups, steps: 2..<2 + sizes.steps, minibatch: sizes.minibatch, accumulation: sizes.accumulation,
      random: &random)
    let all = updates.flatMap { $0 }.flatMap { $0 }
    #expect(all.count == sizes.groups * sizes.steps)
    #expect(Set(all).count == all.count)
    #expect(all.allSatisfy { (2..<2 + sizes.steps).contains($0.step) })
    for slot in 0..<sizes.steps {
      let part = all[slot * sizes.groups..<(slot + 1) * sizes.groups]
      #expect(Set(part.map(\.unit)).count == sizes.groups)
    }
    let perUpdate = sizes.minibatch * sizes.accumulation
    let updatesASlot = (sizes.groups + perUpdate - 1) / perUpdate
    #expect(updates.count == sizes.steps * updatesASlot)
    #expect(updates.allSatisfy { $0.count <= sizes.accumulation && $0.allSatisfy { $0.count <= sizes.minibatch } })
  }

  @Test("The order follows from the stream alone")
  func reproducible() {
    func order(_ seed: UInt64) -> [[[UnitStep]]] {
      var random = RandomStream(seed: seed)
      return stepShuffledUpdates(units: 9, steps: 0..<4, minibatch: 2, accumulation: 1, random: &random)
    }
    #expect(order(1) == order(1))
    #expect(order(1) != order(2))
  }
}
