// The section `branches`. The defaults are the published ones for 20 steps (B2-DiffuRL, arXiv 2503.11240).

/// Branches of the method b2-diffurl: trajectories of a group that split at the first trained step.
package struct BranchSettings: SettingsSection {
  /// The method whose loss is used.
  package var base = BranchBase.ddpo
  /// The number of last steps that are trained at the first stage. A larger value starts with more of the trajectory.
  package var shortestInterval = 14
  /// The number of last steps that are trained at the last stage, at most `sampling.steps`.
  package var longestInterval = 20
  /// Epochs over which the interval grows from the shortest to the longest. A larger value lets it grow more slowly.
  package var stages = 100
  /// The number of earlier epochs whose scores are included in the normalization. A larger value is steadier and
  /// follows changes more slowly.
  package var history = 8
  /// The best trajectory of a group is trained on when its normalized score is at least this many standard deviations
  /// above the mean of its prompt. A larger value keeps fewer.
  package var positiveThreshold: Float = 0.5
  /// The worst trajectory of a group is trained on when its normalized score is below this number of standard
  /// deviations. A larger value keeps more.
  package var negativeThreshold: Float = -0.5

  package init() {}

  package func check(_ problems: inout SettingProblems) {
    problems.positive(shortestInterval, "branches.shortestInterval")
    problems.positive(longestInterval, "branches.longestInterval")
    problems.positive(stages, "branches.stages")
    problems.notNegative(history, "branches.history")
    for (value, key) in [
      (positiveThreshold, "branches.positiveThreshold"), (negativeThreshold, "branches.negativeThreshold"),
    ] { problems.require(value.isFinite, key, "a number", value) }
  }
}

/// Methods whose loss b2-diffurl can use.
package enum BranchBase: String, SettingChoice {
  /// each chosen trajectory alone
  case ddpo
  /// the best and the worst trajectory as a pair
  case sdpo
}
