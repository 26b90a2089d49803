// A policy and its training method. The weights after an epoch are a function of the weights before it, the groups and
// the seed of the run, to the bit.

internal import Algorithms
package import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
package import Messages
package import Models

/// Not Sendable: it belongs to the training thread.
package final class Trainer {
  let policy: TrainableModel
  let method: any TrainingMethod
  /// The policy version of the current weights, which is the number of trained epochs.
  var version = 0
  /// Since the start of the run.
  var groupsTrained = 0, groupsUnscored = 0
  let terms: SamplingTerms
  var learnedReward: LearnedReward

  /// Loads the model, and adds a new adapter that does not change its output.
  ///
  /// - Parameter loaded: a model in memory; nil loads the configured model.
  /// - Throws: when the model cannot be loaded or the settings contradict each other.
  package init(
    _ configuration: Configuration, model loaded: TextToImageModel? = nil, sources: TrainingSources = .none
  ) throws {
    let algorithm = try configuration.algorithm()
    policy = try TrainableModel(configuration, model: loaded, unitSize: algorithm.unitSize)
    method = try Self.method(algorithm, policy, configuration, sources)
    terms = SamplingTerms(
      process: policy.process, guidanceScale: configuration.sampling.guidanceScale,
      groupSize: configuration.sampling.groupSize, branchStep: { algorithm.branchStep(ofEpoch: $0) },
      shape: policy.model.latentShape)
    learnedReward = try LearnedReward(configuration.reward)
  }

  private static func method(
    _ algorithm: any Algorithm, _ policy: TrainableModel, _ configuration: Configuration,
    _ sources: TrainingSources
  ) throws -> any TrainingMethod {
    switch algorithm {
    case let algorithm as any PolicyGradientAlgorithm: return PolicyGradientTraining(policy, algorithm)
    case let algorithm as any RewardGradientAlgorithm:
      return try RewardGradientTraining(
        policy, algorithm, try reward(algorithm, policy, configuration, sources), configuration)
    default: fatalError("\(type(of: algorithm)): a method is a PolicyGradientAlgorithm or a RewardGradientAlgorithm")
    }
  }

  /// The reward that a method differentiates.
  private static func reward(
    _ algorithm: any RewardGradientAlgorithm, _ policy: TrainableModel, _ configuration: Configuration,
    _ sources: TrainingSources
  ) throws -> any DifferentiableReward {
    if algorithm is LaSRO { return try SurrogateReward(policy, configuration, openArchive: sources.openArchive) }
    // Rewards must see pictures of the same decoder as those that the actors sent to be scored.
    let decoder = configuration.sampling.rewardDecoder
    if !decoder.isEmpty { try policy.model.useTinyDecoder(URL(filePath: decoder)) }
    if configuration.gradient.source == .proxy { return try ProxyReward(policy, configuration) }
    guard let gradients = sources.gradients else {
      throw TrainingError(
        "training.algorithm \(algorithm.name) needs gradients, but there are no reward servers; start reward "
          + "servers for reward.weights, or set gradient.source to proxy")
    }
    return ServedReward(policy, gradients, rescalesPixelsTwice: configuration.gradient.rescalesPixelsTwice)
  }

  /// The bytes of a LoRA file, and the number of its tensors.
  func encodedPolicy() -> (bytes: [UInt8], tensorCount: Int) {
    (policy.model.unet.loraWriter().encoded(), policy.model.unet.loraParameters.count)
  }

  /// Trains on the groups of one epoch. The version increases even if no group could be used.
  ///
  /// - Throws: `TrainingError` when a gradient is not finite.
  @discardableResult
  package func train(_ received: [TrajectoryGroup], stored: StoredGroups = { _ in [] }) throws -> EpochReport {
    let batch = EpochBatch(learnedReward(received))
    var report = EpochReport(batch, epoch: version)
    report.ofRewards = batch.rewardMetrics
    report.queries = learnedReward.queries(received, branchStep: terms.branchStep)
    if !batch.groups.isEmpty { try method.train(batch, stored, &report) }
    version += 1
    groupsTrained += batch.groups.count
    groupsUnscored += batch.unscored
    return report
  }
}
