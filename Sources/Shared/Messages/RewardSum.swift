// The weighted sum of rewards that a method learns from. A sum is missing if any of its parts is missing.

package import Engine

package struct RewardSum: Sendable {
  package let terms: [(name: String, weight: Float)]

  /// Sums in the order of the names, so that every process rounds in the same way.
  package init(_ weights: [String: Float]) {
    terms = weights.sorted { $0.key < $1.key }.map { (name: $0.key, weight: $0.value) }
  }

  package var names: [String] { terms.map(\.name) }

  /// The sum of the scores of one image, by reward; nil if a score is missing.
  package func callAsFunction(_ scores: [String: Float]) -> Float? {
    var total: Float = 0
    for (name, weight) in terms {
      guard let score = scores[name] else { return nil }
      total += weight * score
    }
    return total.isFinite ? total : nil
  }

  /// The sums of one trajectory's scores, by step; steps at which a score of the sum is missing are left out.
  ///
  /// - Parameter scaled: the term that enters the sum for a value of a reward, before its weight.
  package func byStep(
    _ scores: [Score], scaled: (_ value: Float, _ reward: String) -> Float = { value, _ in value }
  ) -> [Int: Float] {
    Dictionary(grouping: scores, by: \.step).compactMapValues { scores in
      self(
        Dictionary(
          scores.compactMap { score in score.value.map { (score.reward, scaled($0, score.reward)) } },
          uniquingKeysWith: { $1 }))
    }
  }

  /// The sums of a batch, and their gradients with respect to the pixels if every result has one.
  ///
  /// - Parameters:
  ///   - results: The results of a request, for at least all rewards of the sum.
  ///   - count: Number of images in the request.
  /// - Returns: One sum per image, nil where a score is missing, and d sum / d pixels, `[count, height, width, 3]`, 0
  ///   where the sum is missing. The gradient is nil if a reward returned none.
  package func callAsFunction(_ results: [ScoreResult], count: Int) -> (values: [Float?], gradient: Tensor?) {
    let parts = terms.map { term in results.first { $0.reward == term.name } }
    let values = (0..<count).map { image in
      self(
        Dictionary(
          uniqueKeysWithValues: zip(terms, parts).compactMap { term, part in
            part?.values[image].map { (term.name, $0) }
          }))
    }
    let gradients = parts.compactMap { $0?.gradient?.detached }
    guard gradients.count == terms.count else { return (values, nil) }
    let total = Tape.withoutGradients {
      zip(terms, gradients).reduce(Tensor(0)) { $0 + $1.1 * $1.0.weight }
        * Tensor(values.map { $0 == nil ? 0 : 1 }, shape: [count, 1, 1, 1])
    }
    return (values, total)
  }
}
