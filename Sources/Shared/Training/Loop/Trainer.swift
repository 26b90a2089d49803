// One policy and what updates it. An epoch's update is a function of the state, the groups and the run's seed: the same
// three give the same weights to the bit.

internal import Algorithms
package import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
package import Messages
package import Models

/// The policy under training. Not Sendable: it belongs to the training thread.
package final class Trainer {
  let policy: TrainableModel
  let method: any TrainingMethod
  /// Epochs trained; the version of the policy that the weights now are.
  var version = 0
  /// Since the beginning of the run.
  var groupsTrained = 0, groupsUnscored = 0
  /// What groups must have been sampled with.
  let terms: SamplingTerms
  var learnedReward: LearnedReward

  /// Loads the model and gives it a new adapter that changes nothing yet.
  ///
  /// - Parameters:
  ///   - loaded: the model, where it is in memory already; nil loads the configured one.
  ///   - sources: rewards with gradients and stored groups, for methods that need them.
  /// - Throws: when the model cannot be loaded or the settings do not go together.
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

  /// The way that a method trains.
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

  /// What a method differentiates.
  ///
  /// - Throws: `TrainingError` when it is the servers' reward and there is none.
  private static func reward(
    _ algorithm: any RewardGradientAlgorithm, _ policy: TrainableModel, _ configuration: Configuration,
    _ sources: TrainingSources
  ) throws -> any DifferentiableReward {
    if algorithm is LaSRO { return try SurrogateReward(policy, configuration, openArchive: sources.openArchive) }
    // Pictures are those that the actors have scored.
    let decoder = configuration.sampling.rewardDecoder
    if !decoder.isEmpty { try policy.model.useTinyDecoder(URL(filePath: decoder)) }
    if configuration.gradient.source == .proxy { return try ProxyReward(policy, configuration) }
    guard let gradients = sources.gradients else {
      throw TrainingError(
        "training.algorithm \(algorithm.name): expected rewards with gradients, found none to ask; start "
          + "reward servers for reward.weights, or set gradient.source to proxy")
    }
    return ServedReward(policy, gradients, rescalesPixelsTwice: configuration.gradient.rescalesPixelsTwice)
  }

  /// The policy as it travels: a LoRA file's bytes, and its number of tensors.
  func encodedPolicy() -> (bytes: [UInt8], tensorCount: Int) {
    (policy.model.unet.loraWriter().encoded(), policy.model.unet.loraParameters.count)
  }

  /// Trains on one epoch's groups; the next version is made even where no group could be used.
  ///
  /// - Parameter stored: gives groups to methods that use them again.
  /// - Throws: `TrainingError` when a gradient is not finite.
  @discardableResult
  package func train(
    _ received: [TrajectoryGroup], stored: StoredGroups = { _ in [] }
  ) throws -> EpochReport {
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
