// No scores can be obtained: a reward or a router is missing or refuses the client.

package struct ScoreClientError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
