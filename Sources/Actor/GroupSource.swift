// What an actor's compute thread works with: a model, or, to try out everything around it, none.

internal import Messages

/// Makes groups. Not Sendable: the compute thread makes it and uses it.
protocol GroupSource: AnyObject {
  /// Names the model among all.
  var modelHash: String { get }
  /// The policy that is bound; nil before the first.
  var policyVersion: Int? { get }

  /// Binds a policy: every one of its tensors, or none.
  ///
  /// - Parameter tensorCount: what the learner announced; nil when no announcement reached this actor.
  /// - Throws: `ActorError` when the bytes do not fit.
  func bind(_ bytes: [UInt8], version: Int, tensorCount: Int?) throws

  /// Samples the groups of a batch of assignments, all of the bound policy.
  ///
  /// - Throws: when an assignment cannot be sampled.
  func sample(_ assignments: [Assignment], run: RunIdentity) throws -> [DraftGroup]
}
