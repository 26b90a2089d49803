// How the groups of an epoch change the policy: PolicyGradientTraining does it with log-probabilities,
// RewardGradientTraining with the gradient of a reward.

internal import Engine
internal import Foundation
internal import Layers
package import Messages

/// Reads groups of the current epoch and of earlier ones, in the order of `numbers`. Throws when a group is no longer
/// stored or the disk fails.
package typealias StoredGroups = (_ numbers: [Int]) throws -> [TrajectoryGroup]

/// Trains a model with a method, on the training thread.
protocol TrainingMethod: AnyObject {
  var name: String { get }

  /// Trains on the groups of an epoch.
  ///
  /// - Parameters:
  ///   - batch: at least one group; all groups are scored.
  ///   - report: has the epoch and the counts of groups; this function adds updates, losses and other metrics.
  /// - Throws: `TrainingError` when a gradient is not finite, or the error of the reward.
  func train(_ batch: EpochBatch, _ stored: StoredGroups, _ report: inout EpochReport) throws

  /// The state between epochs except for tensors, for a checkpoint.
  func state() throws -> Data
  /// - Throws: when the state was saved with other settings.
  func restore(_ state: Data) throws

  /// Tensors of the state that are not part of the policy, by name, for a checkpoint.
  var tensors: [(name: String, value: Tensor)] { get }
  /// - Throws: when a tensor is missing or has another shape.
  func restore(tensors: SafetensorsFile) throws
}

extension TrainingMethod {
  var tensors: [(name: String, value: Tensor)] { [] }
  func restore(tensors: SafetensorsFile) throws {}
}
