// One policy and what updates it. An epoch's update is a function of the state, the groups and the run's seed: the same
// three give the same weights to the bit.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Messages
internal import Models

/// The policy under training. Not Sendable: it belongs to the training thread.
final class Trainer {
  let policy: TrainableModel
  let method: any TrainingMethod
  /// Epochs trained; the version of the policy that the weights now are.
  var version = 0
  /// Since the beginning of the run.
  var groupsTrained = 0, groupsUnscored = 0
  /// What groups must have been sampled with.
  let terms: SamplingTerms

  /// Loads the model and gives it a new adapter that changes nothing yet.
  ///
  /// - Throws: when the model cannot be loaded or the settings do not go together.
  init(_ configuration: Configuration) throws {
    let algorithm = try configuration.algorithm()
    policy = try TrainableModel(configuration)
    method = try Self.method(algorithm, policy, configuration)
    terms = SamplingTerms(
      process: policy.process, guidanceScale: configuration.sampling.guidanceScale,
      groupSize: configuration.sampling.groupSize, branchStep: { algorithm.branchStep(ofEpoch: $0) },
      shape: policy.model.latentShape)
  }

  /// The way that a method trains.
  private static func method(
    _ algorithm: any Algorithm, _ policy: TrainableModel, _ configuration: Configuration
  ) throws -> any TrainingMethod {
    switch algorithm {
    case let algorithm as any PolicyGradientAlgorithm: return PolicyGradientTraining(policy, algorithm)
    default: fatalError("\(type(of: algorithm)): a method is a PolicyGradientAlgorithm or a RewardGradientAlgorithm")
    }
  }

  /// The policy as it travels: a LoRA file's bytes, and its number of tensors.
  func encodedPolicy() -> (bytes: [UInt8], tensorCount: Int) {
    (policy.model.unet.loraWriter().encoded(), policy.model.unet.loraParameters.count)
  }

  /// Trains on one epoch's groups; the next version is made even where no group could be used.
  ///
  /// - Parameter intake: gives stored groups to methods that use them again.
  /// - Throws: `TrainingError` when a group was sampled with other settings, or a gradient is not finite.
  func train(_ received: [TrajectoryGroup], _ intake: any TrainingIntake) throws -> EpochReport {
    let batch = try EpochBatch(received, terms)
    var report = EpochReport(batch, epoch: version)
    if !batch.groups.isEmpty { try method.train(batch, intake, &report) }
    version += 1
    groupsTrained += batch.groups.count
    groupsUnscored += batch.unscored
    return report
  }
}
