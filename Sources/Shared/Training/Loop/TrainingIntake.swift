// The interface between training and its groups: it waits for the groups of an epoch, and publishes policies. Training
// runs the same over sockets, on stored trajectories and in tests.

package import Messages

/// Gives groups to training and takes its policies. Called on the training thread only.
package protocol TrainingIntake: AnyObject {
  /// Waits until every group of an epoch is stored.
  ///
  /// - Returns: the groups in any order, checked with `TrainingWorker.objection`; nil when the run is being stopped.
  /// - Throws: when the groups cannot be read, for example because the disk fails.
  func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]?

  /// Reads groups of the current epoch and of earlier ones, in the order of `numbers`.
  ///
  /// - Throws: when a group is no longer stored or the disk fails.
  func stored(_ numbers: [Int]) throws -> [TrajectoryGroup]

  /// Publishes a policy. Without staleness, the groups of epoch `version` are sampled from it.
  ///
  /// - Parameters:
  ///   - version: 0 for the first policy; each epoch adds one.
  ///   - bytes: a safetensors file.
  ///   - tensorCount: the number of tensors in the file, all of which an actor must bind.
  func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws

  /// Groups that training has taken since the start of the run; a group that was taken twice counts twice.
  var groupsSampled: Int { get }
  /// Metrics of the intake that are logged with every epoch, by name.
  var metrics: [String: Double] { get }
  /// Whether the run is being stopped. The current epoch is then abandoned, and trained again when the run continues.
  var isStopping: Bool { get }
}

extension TrainingIntake {
  package var groupsSampled: Int { 0 }
  package var metrics: [String: Double] { [:] }
  package var isStopping: Bool { false }
}

/// Training cannot continue; the description says why and what to do.
package struct TrainingError: Error, CustomStringConvertible, Equatable {
  package let description: String

  package init(_ description: String) { self.description = description }
}
