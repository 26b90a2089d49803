// The section `sampling`.

/// How trajectories are sampled.
package struct SamplingSettings: SettingsSection {
  /// Denoising steps per trajectory. A larger value gives finer pictures; sampling and training take proportionally
  /// longer.
  package var steps = 4
  /// Scale of classifier-free guidance, in sampling and in training. Guidance is used only above 1, and then doubles
  /// the cost.
  package var guidanceScale: Float = 1
  /// Scale of the noise that a DDIM step adds. A larger value explores more; at 0 there would be nothing to learn from.
  package var eta: Float = 1
  /// The timesteps that sampling visits.
  package var timestepSpacing = TimestepSpacing.model
  /// Groups of trajectories per policy version. A larger value makes training steadier and slower.
  package var groupsPerEpoch = 32
  /// Trajectories that share a prompt and an initial noise. SDPO compares pairs and needs an even number; B2-DiffuRL
  /// chooses among the trajectories of a group.
  package var groupSize = 2
  /// Groups that an actor samples at once. A larger value is faster and takes more memory. It changes rounding: runs
  /// that must agree bit by bit need the same value.
  package var batchSize = 8
  /// Folder of an AutoencoderTiny (diffusers format) that decodes the pictures for the rewards. It is many times faster
  /// than the autoencoder of the model and slightly blurred. Empty for the autoencoder of the model.
  package var rewardDecoder = ""
  /// Training prompts, in addition to those of `sampling.promptsFile`.
  package var prompts: [String] = []
  /// File of training prompts, one per line. Lines that start with # are comments. Empty for none.
  package var promptsFile = ""

  package init() {}

  package static let paths = ["rewardDecoder", "promptsFile"]

  package func check(_ problems: inout SettingProblems) {
    problems.within(1...1000, steps, "sampling.steps")
    problems.notNegative(guidanceScale, "sampling.guidanceScale")
    problems.require(
      eta > 0 && eta <= 1, "sampling.eta", "above 0 (without noise there is nothing to learn from) and at most 1", eta)
    problems.positive(groupsPerEpoch, "sampling.groupsPerEpoch")
    problems.positive(groupSize, "sampling.groupSize")
    problems.positive(batchSize, "sampling.batchSize")
  }
}

/// The timesteps that sampling visits.
package enum TimestepSpacing: String, SettingChoice {
  /// as the scheduler configuration of the model says
  case model
  /// evenly spaced, ending at the last training timestep
  case trailing
  /// evenly spaced, starting at the first training timestep
  case leading
}
