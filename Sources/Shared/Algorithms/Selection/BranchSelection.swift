// The parts of B2-DiffuRL (arXiv 2503.11240) that are arithmetic on numbers: which steps a stage trains, scores
// normalised over recent stages, and which samples of a branch are kept. Conventions are the published code's.

internal import Engine

/// Backward progressive training: at stage s of S the last `left` + ⌊s (right - left + 1) / S⌋ steps are trained.
package struct ProgressiveInterval: Sendable, Equatable {
  /// Steps trained at the first stage.
  package let left: Int
  /// Steps trained at the last stage.
  package let right: Int
  /// Number of stages, S.
  package let stages: Int

  /// - Throws: `AlgorithmError` unless 1 <= left <= right and there is a stage.
  package init(left: Int, right: Int, stages: Int) throws {
    guard left >= 1, right >= left, stages >= 1 else {
      throw AlgorithmError(
        "branches: expected 1 <= shortestInterval <= longestInterval and at least one stage, found \(left), \(right) "
          + "and \(stages)")
    }
    self.left = left
    self.right = right
    self.stages = stages
  }

  /// Steps that are trained at a stage; the last stage's after it.
  package func length(atStage stage: Int) -> Int {
    left + min(max(stage, 0), stages - 1) * (right - left + 1) / stages
  }
}

/// Scores of the latest stages by prompt.
package struct StageHistory: Codable, Sendable, Equatable {
  /// Stages before the present one that count.
  package let length: Int
  private var stages: [[String: [Float]]] = []

  /// - Parameter length: 0: the present stage alone.
  package init(length: Int) { self.length = length }

  /// Adds a stage and normalises its scores:
  ///
  ///     z = (r - mean) / (std + 1e-8)
  ///
  /// mean and **sample** standard deviation (n - 1) over the prompt's scores of this stage and up to `length` before;
  /// a score that is alone has z = 0.
  ///
  /// - Parameters:
  ///   - scores: one a sample.
  ///   - prompts: one a sample.
  package mutating func normalized(_ scores: [Float], prompts: [String]) -> [Float] {
    stages.append(Dictionary(grouping: zip(prompts, scores), by: \.0).mapValues { $0.map(\.1) })
    if stages.count > length + 1 { stages.removeFirst() }
    let known = Dictionary(
      uniqueKeysWithValues: Set(prompts).map { prompt in (prompt, Moments(stages.flatMap { $0[prompt] ?? [] })) })
    return zip(scores, prompts).map { known[$1]!.sampleNormalized($0, epsilon: 1e-8) }
  }
}

/// The samples of one branch that are trained on; nil where nothing passes its threshold.
package struct BranchChoice: Sendable, Equatable {
  /// The best sample.
  package let best: Int?
  /// The worst sample.
  package let worst: Int?

  /// Keeps the best if its z is at least `positive`, and the worst if its z is below `negative`; the earlier of equals.
  ///
  /// - Parameter normalized: one z a sample of the branch.
  package init(_ normalized: [Float], positive: Float, negative: Float) {
    let highest = normalized.indices.max { normalized[$0] < normalized[$1] || normalized[$0] == normalized[$1] && $0 > $1 }
    let lowest = normalized.indices.min { normalized[$0] < normalized[$1] }
    best = highest.flatMap { normalized[$0] >= positive ? $0 : nil }
    worst = lowest.flatMap { normalized[$0] < negative ? $0 : nil }
  }
}
