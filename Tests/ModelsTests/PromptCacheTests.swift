// A prompt cache computes every prompt once and stays within its limit.

import Models
import Testing

@Suite struct PromptCacheTests {
  @Test func `prompts are computed once, in alphabetical order, until the limit is exceeded`() {
    var cache = PromptCache<Int>(limit: 3), computed: [[String]] = []
    func lengths(_ prompts: [String]) -> [Int] {
      cache.values(of: prompts) { unknown in
        computed.append(unknown)
        return unknown.map(\.count)
      }
    }
    #expect(lengths(["ccc", "a", "ccc"]) == [3, 1, 3])
    #expect(lengths(["a", "bb"]) == [1, 2])
    #expect(lengths(["bb", "ccc"]) == [2, 3])
    // A fourth prompt exceeds the limit: the cache starts again with the prompts of this call.
    #expect(lengths(["bb", "dddd"]) == [2, 4])
    #expect(lengths(["a", "dddd"]) == [1, 4])
    #expect(computed == [["a", "ccc"], ["bb"], ["bb", "dddd"], ["a"]])
  }
}
