// Pairs of pictures of one prompt whose rewards differ clearly. The surrogate reward is fitted to some and measured on
// others. Draws depend on the table and the random stream only.

internal import Algorithms
internal import Engine

struct PreferencePairs {
  struct Pair {
    let preferred: ReplayTable.Row
    let rejected: ReplayTable.Row
  }

  private let rows: [ReplayTable.Row]
  /// Indices of rows by prompt.
  private let byPrompt: [String: [Int]]
  private let threshold: Float

  /// - Parameter threshold: the least difference of the rewards of a pair, in standard deviations of all rewards.
  init(_ rows: [ReplayTable.Row], threshold: Float) {
    self.rows = rows
    byPrompt = Dictionary(grouping: rows.indices, by: { rows[$0].prompt })
    self.threshold = threshold * Float(Moments(rows.map(\.reward)).std)
  }

  private func pair(_ a: Int, _ b: Int) -> Pair? {
    let difference = rows[a].reward - rows[b].reward
    guard difference != 0, abs(difference) >= threshold else { return nil }
    return difference > 0
      ? Pair(preferred: rows[a], rejected: rows[b]) : Pair(preferred: rows[b], rejected: rows[a])
  }

  /// Draws up to `count` pairs with replacement; fewer when few rows form pairs.
  func draw(_ count: Int, random: inout RandomStream) -> [Pair] {
    guard !rows.isEmpty else { return [] }
    var found: [Pair] = []
    for _ in 0..<20 * count where found.count < count {
      let a = random.integer(below: rows.count), others = byPrompt[rows[a].prompt] ?? []
      if let pair = pair(a, others[random.integer(below: others.count)]) { found.append(pair) }
    }
    return found
  }

  /// The first `most` pairs, in the order of the rows.
  func all(atMost most: Int) -> [Pair] {
    var found: [Pair] = []
    for a in rows.indices {
      for b in byPrompt[rows[a].prompt] ?? [] where b > a && found.count < most {
        if let pair = pair(a, b) { found.append(pair) }
      }
    }
    return found
  }
}
