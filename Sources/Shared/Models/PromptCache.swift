// Prompts come again in every epoch and batch: what a frozen text encoder computes for them is computed once.

/// The values of up to `limit` prompts, which bounds the memory when a run has very many.
package struct PromptCache<Value> {
  private let limit: Int
  private var known: [String: Value] = [:]

  package init(limit: Int) { self.limit = limit }

  /// The values of prompts, one per prompt. `compute` is called for those that are not remembered, each once, in
  /// alphabetical order.
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
