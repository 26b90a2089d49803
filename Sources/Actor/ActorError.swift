/// An actor cannot take part in a run.
package struct ActorError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// The compute thread is stuck. The process must end, so that its supervisor can start a new one.
package struct ActorStuck: Error, Sendable, CustomStringConvertible {
  /// The exit status of the program in this case only.
  package static let exitStatus: Int32 = 75

  package let description: String

  init(_ description: String) { self.description = description }
}
