// Brings rewards of different scales to a common one, so that they can be added: by the mean and standard deviation of
// each reward's latest scores. The windows are part of the run's state and saved with every checkpoint.

package import Engine

package struct RewardNormalization: Codable, Sendable, Equatable {
  /// Number of scores that are kept for each reward.
  package let window: Int
  /// By reward: the latest scores, the oldest first.
  private var scores: [String: [Float]] = [:]

  package init(window: Int) throws {
    guard window >= 2 else {
      throw AlgorithmError("reward normalization: expected a window of at least 2 scores, found \(window)")
    }
    self.window = window
  }

  package mutating func append(_ values: [Float], of reward: String) {
    scores[reward] = ((scores[reward] ?? []) + values).suffix(window)
  }

  /// (score - mean) / (std + 1e-6), with mean and population standard deviation over the window of the reward.
  package func normalized(_ values: [Float], of reward: String) -> [Float] {
    let moments = Moments(scores[reward] ?? [])
    return values.map { moments.normalized($0, epsilon: 1e-6) }
  }

  /// Mean and population standard deviation of the window of a reward; nil before its first score.
  package func moments(of reward: String) -> Moments? {
    scores[reward].flatMap { $0.isEmpty ? nil : Moments($0) }
  }
}
