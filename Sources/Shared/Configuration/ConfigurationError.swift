/// What is wrong with a configuration: the file or option, what was expected, what was found, what to do.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One line a problem.
  public let description: String

  init(_ description: String) { self.description = description }
}
