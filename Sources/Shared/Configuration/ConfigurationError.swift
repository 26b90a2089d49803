// The error of a configuration. It names the file or option and the key, and says what to do.

package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One line per problem.
  package let description: String

  init(_ description: String) { self.description = description }
}
