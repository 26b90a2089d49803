// The rewards that a server offers to its router, and that a router offers to its clients.

/// A reward and the version of its scorer.
package struct RewardVersion: Sendable, Equatable, Hashable {
  package var name: String
  package var version: String
  /// Whether the scorer can return gradients with respect to pixels.
  package var hasGradient: Bool

  package init(name: String, version: String, hasGradient: Bool = false) {
    (self.name, self.version, self.hasGradient) = (name, version, hasGradient)
  }
}

/// A reward server offers its rewards to a router. It also serves as a heartbeat.
package struct ServerReady: Sendable, Equatable {
  package var name: String
  package var rewards: [RewardVersion]
  /// Number of requests that the server accepts at a time.
  package var credits: Int

  package init(name: String, rewards: [RewardVersion], credits: Int) {
    (self.name, self.rewards, self.credits) = (name, rewards, credits)
  }
}

package struct RewardsQuery: Sendable, Equatable {
  package init() {}
}

package struct RewardsOffered: Sendable, Equatable {
  /// The rewards of all connected servers, one entry per version. An entry has a gradient if any server offers one.
  package var rewards: [RewardVersion]

  package init(rewards: [RewardVersion]) { self.rewards = rewards }
}
