// Prompts come again in every epoch and batch: what a frozen text encoder computes for them is computed once.

/// The values of prompts, remembered up to a limit.
package struct PromptCache<Value> {
  private let limit: Int
  private var known: [String: Value] = [:]

  /// - Parameter limit: prompts that are remembered; bounds the memory when a run has very many.
  package init(limit: Int) { self.limit = limit }

  /// The values of prompts, one per prompt.
  ///
  /// - Parameter compute: computes the values of the prompts that are not remembered, each once, in alphabetical order.
  /// - Throws: what `compute` throws.
  package mutating func values(
    of prompts: [String], compute: (_ unknown: [String]) throws -> [Value]
  ) rethrows -> [Value] {
    var unknown = Set(prompts).subtracting(known.keys)
    if known.count + unknown.count > limit { (known, unknown) = ([:], Set(prompts)) }
    if !unknown.isEmpty {
      let sorted = unknown.sorted()
      for (prompt, value) in zip(sorted, try compute(sorted)) { known[prompt] = value }
    }
    return prompts.map { known[$0]! }
  }
}
