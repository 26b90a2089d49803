// The source of an actor's groups: a model, or synthetic groups for load tests.

internal import Messages

/// Creates trajectory groups. Not Sendable: it belongs to the compute thread.
protocol GroupSource: AnyObject {
  var modelHash: String { get }
  /// The version of the bound policy; nil before the first one.
  var policyVersion: Int? { get }

  /// Binds all tensors of a policy.
  ///
  /// - Parameter tensorCount: The announced number of tensors; nil if this actor has received no announcement.
  /// - Throws: `ActorError` if the bytes do not match the model.
  func bind(_ bytes: [UInt8], version: Int, tensorCount: Int?) throws

  /// Samples the groups of a batch of assignments, which all name the bound policy.
  ///
  /// - Throws: `ActorError` if an assignment does not match the settings, or an error of the model.
  func sample(_ assignments: [Assignment], run: RunIdentity) throws -> [DraftGroup]
}

package struct RunIdentity: Sendable, Equatable {
  let id: String
  let seed: UInt64
  let actor: String
  let incarnation: Int

  package init(id: String, seed: UInt64, actor: String, incarnation: Int) {
    (self.id, self.seed, self.actor, self.incarnation) = (id, seed, actor, incarnation)
  }
}
