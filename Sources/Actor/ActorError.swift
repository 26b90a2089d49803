/// An actor cannot take part: who said so or where, what was expected, what was found, what to do.
public struct ActorError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The compute thread does not get on: the process is to end, and a new one to take its place.
public struct ActorStuck: Error, Sendable, CustomStringConvertible {
  /// Status with which the program exits then, unlike that of any other end.
  public static let exitStatus: Int32 = 75

  public let description: String

  init(_ description: String) { self.description = description }
}
