// Pairs of pictures of one prompt, one better than the other by enough to tell: what a ranking is learned from, and
// held against. Draws follow from the table and a stream alone.

internal import Algorithms
internal import Engine

/// Rows of a replay table, as pairs.
struct PreferencePairs {
  /// The better and the worse picture.
  struct Pair {
    let preferred: ReplayTable.Row
    let rejected: ReplayTable.Row
  }

  private let rows: [ReplayTable.Row]
  /// Indices of rows by prompt.
  private let byPrompt: [String: [Int]]
  private let threshold: Float

  /// - Parameter threshold: rewards that differ by less than so many of the rows' standard deviations make no pair.
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

  /// Draws pairs; fewer where hardly any can be made.
  func draw(_ count: Int, random: inout RandomStream) -> [Pair] {
    guard !rows.isEmpty else { return [] }
    var found: [Pair] = []
    for _ in 0..<20 * count where found.count < count {
      let a = random.integer(below: rows.count), others = byPrompt[rows[a].prompt] ?? []
      if let pair = pair(a, others[random.integer(below: others.count)]) { found.append(pair) }
    }
    return found
  }

  /// All pairs, at most so many, in the order of the rows.
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
