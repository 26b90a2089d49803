// Where training meets the network: it waits for an epoch's groups, and hands out policies. Everything beyond is the
// intake's, and training runs the same over sockets, over stored trajectories and in a test.

package import Messages

/// Gives training its groups and takes its policies. Called from the training thread only.
package protocol TrainingIntake: AnyObject {
  /// Waits until every group of an epoch is durable.
  ///
  /// - Returns: the groups, in any order, judged by the worker's `objection`; nil when the run is being stopped.
  /// - Throws: when groups can no longer be had, as on a disk error.
  func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]?

  /// Stored groups of the epoch that is trained and of earlier ones, in the order of the numbers.
  ///
  /// - Throws: when one is not kept any more, or the disk fails.
  func stored(_ numbers: [Int]) throws -> [TrajectoryGroup]

  /// Makes a policy the one in force; epoch `version` is sampled from it (with no lag).
  ///
  /// - Parameters:
  ///   - version: 0 for the first policy; one more with every epoch trained.
  ///   - bytes: a safetensors file.
  ///   - tensorCount: tensors in it, all of which an actor must bind.
  func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws

  /// Groups that training has taken since the beginning of the run, one as often as it was taken.
  var groupsSampled: Int { get }
  /// Numbers of its own, by name, that are logged with every epoch.
  var metrics: [String: Double] { get }
  /// The run is being stopped; an epoch in training is given up, to be trained again when the run goes on.
  var isStopping: Bool { get }
}

extension TrainingIntake {
  /// Not counted.
  package var groupsSampled: Int { 0 }
  /// None.
  package var metrics: [String: Double] { [:] }
  /// Never.
  package var isStopping: Bool { false }
}

/// Training cannot go on, in words.
package struct TrainingError: Error, CustomStringConvertible, Equatable {
  package let description: String

  package init(_ description: String) { self.description = description }
}
