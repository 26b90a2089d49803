// Who offers which reward: a server to its router, and a router to the clients that ask.

internal import CMessages

/// A scorer's name and version, and what it can do.
package struct RewardVersion: Sendable, Equatable, Hashable {
  /// Name of the reward.
  package var name: String
  /// Version of its scorer.
  package var version: String
  /// Whether it gives gradients with respect to pixels.
  package var hasGradient: Bool

  /// A reward's scorer.
  package init(name: String, version: String, hasGradient: Bool = false) {
    self.name = name
    self.version = version
    self.hasGradient = hasGradient
  }
}

/// A reward server offers itself to a router.
package struct ServerReady: Sendable, Equatable {
  /// Names it in logs.
  package var name: String
  /// What it can score.
  package var rewards: [RewardVersion]
  /// Images it likes in a request.
  package var batchSize: Int
  /// Requests it takes at once.
  package var credits: Int

  /// An offer with all it says.
  package init(name: String, rewards: [RewardVersion], batchSize: Int, credits: Int) {
    self.name = name
    self.rewards = rewards
    self.batchSize = batchSize
    self.credits = credits
  }
}

/// A client asks a router which rewards are there.
package struct RewardsQuery: Sendable, Equatable {
  /// The question.
  package init() {}
}

/// The router's answer to a `RewardsQuery`.
package struct RewardsOffered: Sendable, Equatable {
  /// What connected servers offer; a reward is listed once for each of its versions, with a gradient if any has one.
  package var rewards: [RewardVersion]

  /// An answer; empty: no server is connected.
  package init(rewards: [RewardVersion]) { self.rewards = rewards }
}

extension RewardVersion: Coded {
  init(_ message: Stepwise__V1__RewardVersion, _ place: FieldPath) throws {
    self.init(
      name: try place.text(message.name, "name"),
      version: try place.text(message.version, "version", mayBeEmpty: true), hasGradient: message.has_gradient != 0)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__RewardVersion> {
    let message = arena.make(stepwise__v1__reward_version__init)
    message.pointee.name = arena.string(name)
    message.pointee.version = arena.string(version)
    message.pointee.has_gradient = hasGradient ? 1 : 0
    return message
  }
}

extension ServerReady: Coded {
  init(_ message: Stepwise__V1__ServerReady, _ place: FieldPath) throws {
    self.init(
      name: try place.text(message.name, "name"),
      rewards: try place.list(message.rewards, message.n_rewards, "rewards"),
      batchSize: try place.number(message.batch_size, "batch_size", in: 1...1 << 20),
      credits: try place.number(message.credits, "credits", in: 0...1 << 20))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__ServerReady> {
    let message = arena.make(stepwise__v1__server_ready__init)
    message.pointee.name = arena.string(name)
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { $0.packed(in: arena) })
    message.pointee.batch_size = UInt32(batchSize)
    message.pointee.credits = UInt32(credits)
    return message
  }
}

extension RewardsQuery: Coded {
  init(_ message: Stepwise__V1__RewardsQuery, _ place: FieldPath) throws { self.init() }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__RewardsQuery> {
    arena.make(stepwise__v1__rewards_query__init)
  }
}

extension RewardsOffered: Coded {
  init(_ message: Stepwise__V1__RewardsOffered, _ place: FieldPath) throws {
    self.init(rewards: try place.list(message.rewards, message.n_rewards, "rewards"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__RewardsOffered> {
    let message = arena.make(stepwise__v1__rewards_offered__init)
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { $0.packed(in: arena) })
    return message
  }
}
