// The section `lasro`.

/// The surrogate of the method lasro: a reward on latents that is learned from rankings.
package struct LasroSettings: SettingsSection {
  /// The number of first epochs that train the surrogate alone. With a larger value, it ranks better before the policy
  /// follows it.
  package var warmupEpochs = 5
  /// Fitting steps per warm-up epoch. A larger value fits more closely.
  package var warmupSteps = 200
  /// Fitting steps per later epoch. With a larger value, the surrogate follows the policy more closely.
  package var steps = 50
  /// Pairs per fitting step. A larger value is steadier and slower.
  package var pairsPerStep = 16
  /// AdamW: step size of fitting. A larger value fits faster; too large a value diverges.
  package var learningRate: Float = 1e-4
  /// AdamW: weight decay of the surrogate. A larger value pulls its weights towards zero more strongly.
  package var weightDecay: Float = 1e-4
  /// Whether the down blocks of the denoiser are trained together with the head. `false` is faster and ranks less well.
  package var trainsBackbone = true
  /// Pairs whose rewards differ by less than this number of standard deviations are not used. A larger value uses only
  /// clearer pairs.
  package var pairThreshold: Float = 0.1
  /// Every n-th group is held out from fitting and measures the ranking. A smaller value measures better and learns
  /// from less.
  package var heldOutEvery = 5
  /// Share of held-out pairs that must be ranked correctly before the policy follows the surrogate. A larger value is
  /// more careful.
  package var minimumAccuracy: Float = 0.6
  /// Additional fits per epoch while the ranking is not good enough. A larger value tries longer.
  package var refits = 2
  /// Share of the policy's samples that take a second step, to a random timestep. A larger value trains later steps
  /// more.
  package var secondStepShare: Float = 0.5
  /// Folder of a replay of another run, with scored trajectories, that the surrogate is first fitted to. Empty for
  /// none.
  package var offlineReplay = ""

  package init() {}

  package static let paths = ["offlineReplay"]

  package func check(_ problems: inout SettingProblems) {
    problems.notNegative(warmupEpochs, "lasro.warmupEpochs")
    problems.positive(warmupSteps, "lasro.warmupSteps")
    problems.positive(steps, "lasro.steps")
    problems.positive(pairsPerStep, "lasro.pairsPerStep")
    problems.positive(learningRate, "lasro.learningRate")
    problems.notNegative(weightDecay, "lasro.weightDecay")
    problems.notNegative(pairThreshold, "lasro.pairThreshold")
    problems.require(
      heldOutEvery >= 2, "lasro.heldOutEvery", "at least 2, because otherwise no group is left to learn from",
      heldOutEvery)
    problems.within(0...1, minimumAccuracy, "lasro.minimumAccuracy")
    problems.notNegative(refits, "lasro.refits")
    problems.within(0...1, secondStepShare, "lasro.secondStepShare")
  }
}
