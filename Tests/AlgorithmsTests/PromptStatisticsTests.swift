// Edge cases of the statistics of prompts, and returns. GoldenTests compares their numbers with the published code.

import Algorithms
import Testing

@Suite struct PromptStatisticsTests {
  @Test func `the batch's statistics are used below the minimum count`() throws {
    var statistics = try PromptStatistics(bufferSize: 4, minimumCount: 3)
    let first = statistics.advantages(returns: [[1], [3]], prompts: ["a", "b"])
    #expect(first.map { $0[0].rounded() } == [-1, 1])
    // "a" now holds 1, 5 and 9, so its own mean and standard deviation are used.
    let second = statistics.advantages(returns: [[5], [9]], prompts: ["a", "a"])
    #expect(second[0][0] == 0)
    #expect(abs(second[1][0] - 1.2247448) < 1e-5)
  }

  @Test func `one mean and standard deviation serves all steps without prompts' statistics`() throws {
    let found = batchAdvantages(returns: [[0, 2], [4, 6]]).flatMap { $0 }
    #expect(abs(found.reduce(0, +)) < 1e-6)
    #expect(abs(found[3] - 3 / Float(5).squareRoot()) < 1e-6)
  }
}

@Suite struct ReturnsTests {
  @Test func `returns add up from the end`() {
    #expect(discountedReturns([1, 2, 4], discount: 0.5) == [3, 4, 4])
    #expect(discountedReturns([7], discount: 0.99) == [7])
    #expect(discountedReturns([], discount: 0.99).isEmpty)
  }
}
