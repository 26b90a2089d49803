// The error for bytes that are not a valid message.

/// Bytes from a peer or from a file are not a valid message.
package struct MessageError: Error, Sendable, Equatable, CustomStringConvertible {
  package let peer: String
  /// Path of the invalid field, such as `trajectory_group.trajectories[1].states`; empty for the whole message.
  package let field: String
  /// The expected and the actual content.
  package let problem: String

  package init(peer: String, field: String, problem: String) {
    (self.peer, self.field, self.problem) = (peer, field, problem)
  }

  package var description: String {
    "message from \(peer)" + (field.isEmpty ? "" : ", field \(field)") + ": \(problem)"
  }
}
