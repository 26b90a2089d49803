// Rewards of different scales can be added only when each has been brought to the same one: by the mean and deviation
// of its own latest scores. The windows belong to the run's exact state: they are saved with every checkpoint.

package import Engine

/// The latest scores of every reward.
package struct RewardNormalization: Codable, Sendable, Equatable {
  /// Scores kept of each reward.
  package let window: Int
  /// By reward: its latest scores, the oldest first.
  private var scores: [String: [Float]] = [:]

  /// - Throws: `AlgorithmError` when the window cannot hold two scores.
  package init(window: Int) throws {
    guard window >= 2 else {
      throw AlgorithmError("reward normalisation: expected a window of at least 2 scores, found \(window)")
    }
    self.window = window
  }

  /// Takes in scores of a reward, in their order.
  package mutating func append(_ values: [Float], of reward: String) {
    scores[reward] = ((scores[reward] ?? []) + values).suffix(window)
  }

  /// Scores of a reward, normalised:
  ///
  ///     (score - mean) / (std + 1e-6)
  ///
  /// mean and population standard deviation over its window.
  package func normalized(_ values: [Float], of reward: String) -> [Float] {
    let moments = Moments(scores[reward] ?? [])
    return values.map { moments.normalized($0, epsilon: 1e-6) }
  }

  /// Mean and population standard deviation of a reward's window; nil before its first score.
  package func moments(of reward: String) -> Moments? {
    scores[reward].flatMap { $0.isEmpty ? nil : Moments($0) }
  }
}
