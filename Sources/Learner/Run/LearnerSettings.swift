// The settings of the learner's network side, taken from the configuration that all roles share.

internal import Algorithms
package import Configuration
package import Foundation
package import Replay
internal import Training
internal import Transport

package struct LearnerSettings: Sendable {
  package var runID: String
  /// Fingerprint of the model that the actors must use.
  package var modelHash: String
  package var seed: UInt64
  /// The complete configuration as YAML, stored in every sealed segment.
  package var configurationText = ""
  package var work: WorkPlan.Settings
  package var firstEpoch = 0
  /// Number of epochs before the current one whose groups the replay keeps, regardless of its limits. After a resume
  /// from the last checkpoint they are trained on again.
  package var keptEpochs = 6
  package var replayFolder: URL
  package var replay = ReplaySettings()
  package var network = NetworkSettings()
  /// Limits on the ratio of samples to inserts; nil means none.
  package var rateLimits: RateLimits?
  /// Number of groups that training took before a resume, each counted as often as it was taken.
  package var groupsSampled = 0

  package init(runID: String, modelHash: String, seed: UInt64, work: WorkPlan.Settings, replayFolder: URL) {
    (self.runID, self.modelHash, self.seed, self.work, self.replayFolder) = (runID, modelHash, seed, work, replayFolder)
  }

  /// The settings of a configuration.
  ///
  /// - Throws: `ConfigurationError` when the prompts cannot be read or the configuration cannot be encoded as YAML;
  ///   `TrainingError` when the method does not support it; `RateLimitError` for limits that could stand still.
  package init(
    _ configuration: Configuration, runID: String, modelHash: String, firstEpoch: Int, groupsSampled: Int = 0
  ) throws {
    var work = WorkPlan.Settings(
      seed: configuration.run.seed, prompts: try configuration.trainingPrompts(),
      groupsPerEpoch: configuration.sampling.groupsPerEpoch, groupSize: configuration.sampling.groupSize,
      epochs: configuration.training.epochs)
    let algorithm = try configuration.algorithm()
    // The branch step no longer changes after the last stage.
    work.branchSteps = (0..<min(work.epochs, configuration.branches.stages)).map { algorithm.branchStep(ofEpoch: $0) }
    work.finalScoreOnly = algorithm.scoring == .final
    work.maximumStaleness = configuration.training.maximumStaleness
    work.leaseDuration = .seconds(configuration.network.leaseDuration)
    self.init(
      runID: runID, modelHash: modelHash, seed: configuration.run.seed, work: work,
      replayFolder: RunFolder.replay(configuration))
    configurationText = try configuration.encodeYAML()
    self.firstEpoch = firstEpoch
    // The groups that a method draws again are kept as well.
    keptEpochs =
      configuration.checkpoint.every + 1
      + (algorithm is any RewardGradientAlgorithm ? configuration.gradient.replayEpochs : 0)
    replay = configuration.replay
    network = configuration.network
    if replay.samplesPerInsert > 0 {
      rateLimits = try RateLimits(
        samplesPerInsert: replay.samplesPerInsert, errorBuffer: replay.errorBuffer,
        minimumSize: replay.minimumSize, batch: work.groupsPerEpoch,
        capacity: (work.maximumStaleness + 1) * work.groupsPerEpoch)
    }
    self.groupsSampled = groupsSampled
  }
}
