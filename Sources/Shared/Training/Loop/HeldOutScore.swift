// How good a policy is on prompts that it is not trained on.

/// What a policy reached.
package struct HeldOutScore: Codable, Equatable, Sendable {
  /// Mean weighted sum of the rewards.
  package let mean: Double
  /// Standard error of the mean.
  package let standardError: Double
  package let pictures: Int

  package init(mean: Double, standardError: Double, pictures: Int) {
    (self.mean, self.standardError, self.pictures) = (mean, standardError, pictures)
  }
}

/// Measures a policy on held-out prompts.
package protocol HeldOutMeasure: AnyObject {
  /// Measures the policy as it is now.
  ///
  /// - Returns: the score; nil when a score is missing or the run is being stopped.
  /// - Throws: an error that ends the run.
  func measure(_ policy: TrainableModel) throws -> HeldOutScore?
}
