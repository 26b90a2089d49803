/// An actor cannot take part: who said so or where, what was expected, what was found, what to do.
package struct ActorError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// The compute thread does not get on: the process is to end, and a new one to take its place.
package struct ActorStuck: Error, Sendable, CustomStringConvertible {
  /// Status with which the program exits then, unlike that of any other end.
  package static let exitStatus: Int32 = 75

  package let description: String

  init(_ description: String) { self.description = description }
}
