// The error that ends a command.

/// A message for the user that says what is wrong, where, and what to do.
package struct CommandError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
