// The settings of all methods, as their files take them: a method reads what concerns it, and refuses by name what it
// cannot work with.

/// A setting that no method can work with, in words.
package struct AlgorithmError: Error, CustomStringConvertible, Equatable {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// Settings of methods; each takes what its paper has.
package struct AlgorithmOptions: Sendable {
  /// Trajectories that share a prompt and a beginning.
  package var groupSize = 2
  /// Denoising steps a trajectory.
  package var steps = 4
  /// γ of the returns.
  package var discount: Float = 0.99
  /// λ of SDPO's temporal weights λ^i, i = 0 the noisiest step.
  package var temporalWeight: Float = 0.99
  /// Divides the log-ratio in SDPO's loss.
  package var logScale: Float = 1
  /// Log-probabilities may move so far from the behaviour policy's before the clipped loss holds them; in losses on
  /// ratios, so far the ratio from 1.
  package var logRatioClip: Float = 1e-4
  /// Advantages are limited to ± this.
  package var advantageClip: Float = 5
  /// Normalise per (prompt, step); off: over the whole batch.
  package var normalizesPerPrompt = true
  /// See `PromptStatistics`.
  package var statisticsBufferSize = 32
  /// See `PromptStatistics`.
  package var statisticsMinimumCount = 16
  /// Whether the final step is trained.
  package var finalStep = true
  /// B2-DiffuRL's.
  package var branches = BranchOptions()
  /// Of the methods that follow a reward's gradient.
  package var gradient = GradientOptions()

  package init() {}

  /// - Throws: `AlgorithmError` naming the option.
  package func validate() throws {
    func require(_ condition: Bool, _ text: String) throws { if !condition { throw AlgorithmError(text) } }
    try require(groupSize > 0, "groupSize: expected at least 1, found \(groupSize)")
    try require(steps > (finalStep ? 0 : 1), "steps: expected a step to train, found \(steps)")
    try require((0...1).contains(discount), "discount: expected 0 to 1, found \(discount)")
    try require(
      temporalWeight > 0 && temporalWeight <= 1, "lambda: expected more than 0 and at most 1, found \(temporalWeight)")
    try require(logScale > 0 && logScale.isFinite, "logScale: expected a positive number, found \(logScale)")
    try require(logRatioClip > 0, "logRatioClip: expected a positive number, found \(logRatioClip)")
    try require(advantageClip > 0, "advantageClip: expected a positive number, found \(advantageClip)")
  }
}
