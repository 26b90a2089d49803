/// An actor cannot take part: who said so or where, what was expected, what was found, what to do.
public struct ActorError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
