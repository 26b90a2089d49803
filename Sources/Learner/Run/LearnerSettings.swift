// What the learner's network side needs to know, taken from the configuration that all roles share.

internal import Algorithms
package import Configuration
package import Foundation
package import Replay
internal import Training
package import Transport

/// Settings of a learner's service.
package struct LearnerSettings: Sendable {
  /// The run, as all its groups name it.
  package var runID: String
  /// Fingerprint of the model that actors must have too.
  package var modelHash: String
  /// Seed of the run's random numbers.
  package var seed: UInt64
  /// The complete configuration, kept in every sealed segment.
  package var configurationText = ""
  /// Which groups there are to make.
  package var work: WorkPlan.Settings
  /// Epochs that were trained before; the first groups wanted are those of this epoch.
  package var firstEpoch = 0
  /// Epochs before the current one whose groups the replay keeps, whatever its limits say: what a resume from the last
  /// checkpoint trains on again.
  package var keptEpochs = 6
  /// Where the replay lies.
  package var replayFolder: URL
  package var replay = ReplaySettings()
  package var network = NetworkSettings()
  /// How fast groups may come in relation to how often they are trained on; nil: as fast as there is work.
  package var rateLimits: RateLimits?
  /// Groups that training had taken before this life of the run, one as often as it was taken.
  package var groupsSampled = 0
  /// - Parameters:
  ///   - runID: not empty.
  ///   - work: which groups there are to make.
  package init(runID: String, modelHash: String, seed: UInt64, work: WorkPlan.Settings, replayFolder: URL) {
    self.runID = runID
    self.modelHash = modelHash
    self.seed = seed
    self.work = work
    self.replayFolder = replayFolder
  }

  /// What the configuration says.
  ///
  /// - Throws: `ConfigurationError` when the prompts cannot be read, or the configuration not be written as YAML;
  ///   `TrainingError` when the method cannot work with it; `RateLimitError` for limits that could stand still.
  package init(
    _ configuration: Configuration, runID: String, modelHash: String, firstEpoch: Int, groupsSampled: Int = 0
  ) throws {
    var work = WorkPlan.Settings(
      seed: configuration.run.seed, prompts: try configuration.trainingPrompts(),
      groupsPerEpoch: configuration.sampling.groupsPerEpoch, groupSize: configuration.sampling.groupSize,
      epochs: configuration.training.epochs)
    let algorithm = try configuration.algorithm()
    // Steps no longer change after the last stage; a list of all epochs would take eight bytes for each.
    work.branchSteps = (0..<min(work.epochs, configuration.branches.stages)).map { algorithm.branchStep(ofEpoch: $0) }
    work.finalScoreOnly = algorithm.scoring == .final
    work.maximumStaleness = configuration.training.maximumStaleness
    work.leaseDuration = .seconds(configuration.network.leaseDuration)
    self.init(
      runID: runID, modelHash: modelHash, seed: configuration.run.seed, work: work,
      replayFolder: RunFolder.replay(configuration))
    configurationText = try configuration.encodeYAML()
    self.firstEpoch = firstEpoch
    // What a method draws from again is kept as well.
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
