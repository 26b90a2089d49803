// The roles of a run, with the names that key files, allow-lists, arguments and logs use for them.

package enum Role: String, Sendable, CaseIterable {
  /// Samples trajectory groups for the learner and asks routers for scores.
  case actor
  /// Offers rewards to routers and scores pictures.
  case rewardServer = "reward-server"
  /// Spreads score requests over reward servers.
  case router
  /// Assigns work, trains and publishes policies. Asks routers for scores.
  case learner
  /// Asks routers for scores on behalf of the user.
  case tool

  package static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
