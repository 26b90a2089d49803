// The error of a client of reward servers.

/// No scores can be had: names the reward or router, the reason, and what to do.
package struct ScoringError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
