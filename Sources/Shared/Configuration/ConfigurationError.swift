/// What is wrong with a configuration: the file or option, what was expected, what was found, what to do.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One line a problem.
  package let description: String

  init(_ description: String) { self.description = description }
}
