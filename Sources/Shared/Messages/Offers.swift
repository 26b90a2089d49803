// The rewards that a server offers to its router, and that a router offers to its clients.

internal import CMessages

/// A reward and the version of its scorer.
package struct RewardVersion: Sendable, Equatable, Hashable {
  package var name: String
  package var version: String
  /// Whether the scorer can return gradients with respect to pixels.
  package var hasGradient: Bool

  package init(name: String, version: String, hasGradient: Bool = false) {
    self.name = name
    self.version = version
    self.hasGradient = hasGradient
  }
}

/// A reward server offers its rewards to a router. It also serves as a heartbeat.
package struct ServerReady: Sendable, Equatable {
  /// Name of the server in logs.
  package var name: String
  package var rewards: [RewardVersion]
  /// Number of requests that the server accepts at a time.
  package var credits: Int

  package init(name: String, rewards: [RewardVersion], credits: Int) {
    self.name = name
    self.rewards = rewards
    self.credits = credits
  }
}

/// A client asks a router which rewards are offered.
package struct RewardsQuery: Sendable, Equatable {
  package init() {}
}

/// The router's answer to a `RewardsQuery`.
package struct RewardsOffered: Sendable, Equatable {
  /// The rewards of all connected servers, one entry per version. An entry has a gradient if any server offers one.
  package var rewards: [RewardVersion]

  package init(rewards: [RewardVersion]) { self.rewards = rewards }
}

extension RewardVersion: Coded {
  init(_ message: Stepwise__RewardVersion, _ path: FieldPath) throws {
    self.init(
      name: try path.text(message.name, "name"),
      version: try path.text(message.version, "version", mayBeEmpty: true), hasGradient: message.has_gradient != 0)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__RewardVersion> {
    let message = arena.make(stepwise__reward_version__init)
    message.pointee.name = arena.string(name)
    message.pointee.version = arena.string(version)
    message.pointee.has_gradient = hasGradient ? 1 : 0
    return message
  }
}

extension ServerReady: Coded {
  init(_ message: Stepwise__ServerReady, _ path: FieldPath) throws {
    self.init(
      name: try path.text(message.name, "name"),
      rewards: try path.list(message.rewards, message.n_rewards, "rewards"),
      credits: try path.number(message.credits, "credits", in: 0...1 << 20))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__ServerReady> {
    let message = arena.make(stepwise__server_ready__init)
    message.pointee.name = arena.string(name)
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { $0.packed(in: arena) })
    message.pointee.credits = UInt32(credits)
    return message
  }
}

extension RewardsQuery: Coded {
  init(_ message: Stepwise__RewardsQuery, _ path: FieldPath) throws { self.init() }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__RewardsQuery> {
    arena.make(stepwise__rewards_query__init)
  }
}

extension RewardsOffered: Coded {
  init(_ message: Stepwise__RewardsOffered, _ path: FieldPath) throws {
    self.init(rewards: try path.list(message.rewards, message.n_rewards, "rewards"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__RewardsOffered> {
    let message = arena.make(stepwise__rewards_offered__init)
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { $0.packed(in: arena) })
    return message
  }
}
