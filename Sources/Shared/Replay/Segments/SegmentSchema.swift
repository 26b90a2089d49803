// The names inside a sealed segment, for writing and reading. docs/replay-format.md describes the format.

enum SegmentSchema {
  /// Raised when a reader of the previous version could misread a file.
  static let version = 2

  static let schemaVersion = "schema_version"
  static let runID = "run_id"
  static let modelHash = "model_hash"
  static let configuration = "configuration"
  static let createdBy = "created_by"

  enum Group {
    static let number = "groups/number"
    static let epoch = "groups/epoch"
    static let policyVersion = "groups/policy_version"
    static let prompt = "groups/prompt"
    static let actor = "groups/actor"
    static let incarnation = "groups/incarnation"
    static let seed = "groups/seed"
    static let timesteps = "groups/timesteps"
    static let eta = "groups/eta"
    static let guidanceScale = "groups/guidance_scale"
    static let byteCount = "groups/byte_count"
    /// Row of the group's first trajectory, plus the number of all trajectories at the end.
    static let firstTrajectory = "groups/first_trajectory"
  }

  enum Trajectory {
    static let states = "trajectories/states"
    static let cleanStates = "trajectories/clean_states"
    /// CRC-32C of the bytes of the trajectory's states.
    static let statesChecksum = "trajectories/states_crc32c"
    static let cleanStatesChecksum = "trajectories/clean_states_crc32c"
    static let logProbabilities = "trajectories/log_probabilities"
    static let denseRewards = "trajectories/dense_rewards"
    static let isScored = "trajectories/is_scored"
    static let anchorStep = "trajectories/anchor_step"
    /// Row of the trajectory's first score, plus the number of all scores at the end.
    static let firstScore = "trajectories/first_score"
  }

  enum Score {
    static let step = "scores/step"
    static let reward = "scores/reward"
    static let version = "scores/version"
    static let value = "scores/value"
  }
}

/// The run and model that a replay's trajectories belong to; stored in every segment.
package struct ReplayOrigin: Sendable, Equatable {
  package let runID: String
  package let modelHash: String
  package let configuration: String

  package init(runID: String, modelHash: String, configuration: String) {
    (self.runID, self.modelHash, self.configuration) = (runID, modelHash, configuration)
  }
}
