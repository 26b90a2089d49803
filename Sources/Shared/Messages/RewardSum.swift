// Several rewards become the one number that is learned: a weighted sum, which is missing where any part of it is.

package import Engine
package import Messages

/// The weighted sum of rewards.
package struct RewardSum: Sendable {
  /// Names and weights, in the order in which they are added.
  package let terms: [(name: String, weight: Float)]

  /// The sum of rewards by name; they are added in the names' order, so that every process rounds alike.
  package init(_ weights: [String: Float]) {
    terms = weights.sorted { $0.key < $1.key }.map { (name: $0.key, weight: $0.value) }
  }

  /// Names of all rewards of the sum.
  package var names: [String] { terms.map(\.name) }

  /// The sum of one image's scores, by reward; nil when one is missing, because missing is not zero.
  package func callAsFunction(_ scores: [String: Float]) -> Float? {
    var total: Float = 0
    for (name, weight) in terms {
      guard let score = scores[name] else { return nil }
      total += weight * score
    }
    return total.isFinite ? total : nil
  }

  /// The sums of a batch, and their gradients with respect to the pixels where every result has one.
  ///
  /// - Parameters:
  ///   - results: those of a request, of at least all rewards of the sum.
  ///   - count: images in the request.
  /// - Returns: a sum an image, nil where a score is missing, and d sum / d pixels, `[count, height, width, 3]`, 0
  ///   where the sum is missing; nil when a reward gave no gradient.
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
