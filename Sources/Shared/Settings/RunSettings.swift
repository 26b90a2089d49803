// The sections `run`, `checkpoint` and `evaluation`.

/// Identity and place of the run.
package struct RunSettings: SettingsSection {
  /// Seed of all random numbers of the run. Another value gives another run.
  package var seed: UInt64 = 1
  /// Folder for checkpoints, replay, metrics and pictures. It is created when it does not exist.
  package var folder = "runs/run"
  /// Folder of the text-to-image model, in diffusers format.
  package var model = "Models/emoji-turbo"
  /// Seconds that an actor may spend on one batch. After that it counts as stuck and exits with status 75, so that it
  /// can be restarted. Larger values suit slower machines.
  package var stuckLimit: Double = 1800
  /// Worker threads per process. 0 uses all cores, which is too many when several processes share a machine.
  package var threads = 0

  package init() {}

  package static let paths = ["folder", "model"]

  package func check(_ problems: inout SettingProblems) {
    problems.require(!folder.isEmpty, "run.folder", "a folder", "none")
    problems.require(!model.isEmpty, "run.model", "a model folder in diffusers format", "none")
    problems.positive(stuckLimit, "run.stuckLimit")
    problems.notNegative(threads, "run.threads")
  }
}

/// How often training is saved.
package struct CheckpointSettings: SettingsSection {
  /// Epochs between two checkpoints. With a larger value, more work is lost when the machine fails.
  package var every = 5
  /// The number of checkpoints that are kept, newest first. A larger value takes more disk space.
  package var keep = 3
  /// Pictures per held-out prompt (`evaluation.prompts`) that are scored at every checkpoint. The checkpoint with the
  /// best score is kept in addition to the newest ones. A larger value chooses better and takes more time; 0 disables
  /// the measurement.
  package var heldOutPictures = 1

  package init() {}

  package func check(_ problems: inout SettingProblems) {
    problems.positive(every, "checkpoint.every")
    problems.positive(keep, "checkpoint.keep")
    problems.notNegative(heldOutPictures, "checkpoint.heldOutPictures")
  }
}

/// How the policy is measured on held-out prompts.
package struct EvaluationSettings: SettingsSection {
  /// Held-out prompts, in addition to those of `evaluation.promptsFile`.
  package var prompts: [String] = []
  /// File of held-out prompts, one per line. Empty for none.
  package var promptsFile = ""
  /// Pictures per prompt. A larger value makes the standard error smaller.
  package var seeds = 4
  /// Epochs between two sheets of sample pictures; 0 disables them.
  package var every = 10

  package init() {}

  package static let paths = ["promptsFile"]

  package func check(_ problems: inout SettingProblems) {
    problems.positive(seeds, "evaluation.seeds")
    problems.notNegative(every, "evaluation.every")
  }
}
