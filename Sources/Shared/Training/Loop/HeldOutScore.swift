// The score of a policy on prompts that it is not trained on.

package struct HeldOutScore: Codable, Equatable, Sendable {
  /// Mean weighted sum of the rewards.
  package let mean: Double
  package let standardError: Double
  package let pictures: Int

  package init(mean: Double, standardError: Double, pictures: Int) {
    (self.mean, self.standardError, self.pictures) = (mean, standardError, pictures)
  }
}

package protocol HeldOutMeasure: AnyObject {
  /// Measures the current policy on held-out prompts.
  ///
  /// - Returns: nil when a score is missing or the run is being stopped.
  /// - Throws: an error that ends the run.
  func measure(_ policy: TrainableModel) throws -> HeldOutScore?
}
