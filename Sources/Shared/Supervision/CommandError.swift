// The error that ends a command.

package struct CommandError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
