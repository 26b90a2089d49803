// Methods are made by name.

import Algorithms
import Settings
import Testing

@Suite struct AlgorithmRegistryTests {
  @Test func `impossible settings are refused by name`() {
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
