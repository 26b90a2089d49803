// What is wrong with bytes that were to be a message: who sent them, which field, what was expected and found.

/// Bytes from a peer, or from a file, are no valid message.
public struct MessageError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Who sent the bytes, or the file that holds them.
  public let peer: String
  /// Path of the offending field, such as `trajectory_group.trajectories[1].states`; empty for the whole message.
  public let field: String
  /// What was expected and what was found.
  public let problem: String

  /// An error in a field; `field` is empty for the whole message.
  public init(peer: String, field: String, problem: String) {
    self.peer = peer
    self.field = field
    self.problem = problem
  }

  public var description: String {
    "message from \(peer)" + (field.isEmpty ? "" : ", field \(field)") + ": \(problem)"
  }
}
