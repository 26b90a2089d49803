// Conversion of offered rewards to and from the structs of protobuf-c.

internal import CMessages

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
