// The numeric parts of B2-DiffuRL (arXiv 2503.11240): the steps that a stage trains, scores normalized over recent
// stages, and the trajectories of a group that are kept. Conventions are those of the published code.

internal import Engine

/// Backward progressive training: stage s of S trains the last `left` + ⌊s (right - left + 1) / S⌋ steps.
package struct ProgressiveInterval: Sendable, Equatable {
  /// Steps trained in the first stage.
  package let left: Int
  /// Steps trained in the last stage.
  package let right: Int
  /// Number of stages, S.
  package let stages: Int

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

  /// Stages after the last one count as the last.
  package func length(atStage stage: Int) -> Int {
    left + min(max(stage, 0), stages - 1) * (right - left + 1) / stages
  }
}

/// The scores of recent stages, by prompt.
package struct StageHistory: Codable, Sendable, Equatable {
  /// Number of earlier stages that are kept; 0 keeps only the current stage.
  package let length: Int
  private var stages: [[String: [Float]]] = []

  package init(length: Int) { self.length = length }

  /// Adds a stage and normalizes its scores:
  ///
  ///     z = (r - mean) / (std + 1e-8)
  ///
  /// with mean and **sample** standard deviation (n - 1) over the prompt's scores of this stage and up to `length`
  /// earlier ones; a single score has z = 0. There is one score and one prompt per trajectory.
  package mutating func normalized(_ scores: [Float], prompts: [String]) -> [Float] {
    stages.append(Dictionary(grouping: zip(prompts, scores), by: \.0).mapValues { $0.map(\.1) })
    if stages.count > length + 1 { stages.removeFirst() }
    let known = Dictionary(
      uniqueKeysWithValues: Set(prompts).map { prompt in (prompt, Moments(stages.flatMap { $0[prompt] ?? [] })) })
    return zip(scores, prompts).map { known[$1]!.sampleNormalized($0, epsilon: 1e-8) }
  }
}

/// The trajectories of one group that are trained on; nil where none passes its threshold.
package struct BranchChoice: Sendable, Equatable {
  /// Indices of the best and the worst trajectory.
  package let best, worst: Int?

  /// Takes one z per trajectory of the group. Keeps the best if its z is at least `positive`, and the worst if its z is
  /// below `negative`; of equals the first.
  package init(_ normalized: [Float], positive: Float, negative: Float) {
    let highest = normalized.indices.max { (normalized[$0], -$0) < (normalized[$1], -$1) }
    let lowest = normalized.indices.min { normalized[$0] < normalized[$1] }
    best = highest.flatMap { normalized[$0] >= positive ? $0 : nil }
    worst = lowest.flatMap { normalized[$0] < negative ? $0 : nil }
  }
}
