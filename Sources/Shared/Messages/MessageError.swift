// What is wrong with bytes that were to be a message: who sent them, which field, what was expected and found.

/// Bytes from a peer, or from a file, are no valid message.
package struct MessageError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Who sent the bytes, or the file that holds them.
  package let peer: String
  /// Path of the offending field, such as `trajectory_group.trajectories[1].states`; empty for the whole message.
  package let field: String
  /// What was expected and what was found.
  package let problem: String

  /// An error in a field; `field` is empty for the whole message.
  package init(peer: String, field: String, problem: String) {
    self.peer = peer
    self.field = field
    self.problem = problem
  }

  package var description: String {
    "message from \(peer)" + (field.isEmpty ? "" : ", field \(field)") + ": \(problem)"
  }
}
