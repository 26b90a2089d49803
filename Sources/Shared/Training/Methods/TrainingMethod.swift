// How an epoch's groups change the policy: one way for methods by log-probabilities, one for those by a reward's
// gradient.

internal import Engine
internal import Foundation
internal import Layers
package import Messages

/// Groups of the epoch that is trained and of earlier ones, by number, in the order of the numbers.
///
/// - Throws: when one is not kept any more, or the disk fails.
package typealias StoredGroups = (_ numbers: [Int]) throws -> [TrajectoryGroup]

/// Trains a model with a method. Belongs to the training thread.
protocol TrainingMethod: AnyObject {
  /// The method's name in configurations.
  var name: String { get }

  /// Trains on an epoch's groups; they are at least one.
  ///
  /// - Parameters:
  ///   - batch: groups with all their scores.
  ///   - stored: gives groups of this and earlier epochs.
  ///   - report: has its epoch and counts; updates, losses and what else there is are added.
  /// - Throws: `TrainingError` when a gradient is not finite, or what the reward throws.
  func train(_ batch: EpochBatch, _ stored: StoredGroups, _ report: inout EpochReport) throws

  /// Numbers and texts between epochs, for a checkpoint.
  func state() throws -> Data
  /// Takes up the state of a checkpoint.
  ///
  /// - Throws: when it was made with other settings.
  func restore(_ state: Data) throws

  /// Weights of its own between epochs, by name; for a checkpoint.
  var tensors: [(name: String, value: Tensor)] { get }
  /// Takes up the weights of a checkpoint.
  ///
  /// - Throws: when a tensor is missing or of another shape.
  func restore(tensors: SafetensorsFile) throws
}

extension TrainingMethod {
  /// No weights of its own.
  var tensors: [(name: String, value: Tensor)] { [] }
  /// No weights of its own.
  func restore(tensors: SafetensorsFile) throws {}
}
