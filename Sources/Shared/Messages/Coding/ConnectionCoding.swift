// Conversion of the messages that open, keep alive and end a connection to and from the structs of protobuf-c.

internal import CMessages
internal import Roles

extension Role {
  var code: Stepwise__Role {
    switch self {
    case .actor: STEPWISE__ROLE__ACTOR
    case .rewardServer: STEPWISE__ROLE__REWARD_SERVER
    case .router: STEPWISE__ROLE__ROUTER
    case .learner: STEPWISE__ROLE__LEARNER
    case .tool: STEPWISE__ROLE__TOOL
    }
  }
}

extension Hello: Coded {
  init(_ message: Stepwise__Hello, _ path: FieldPath) throws {
    guard let role = Role.allCases.first(where: { $0.code == message.role }) else {
      throw path.failure("role", "expected a role 1 to 5, found \(message.role.rawValue)")
    }
    self.init(
      protocolVersion: try path.number(message.protocol_version, "protocol_version"), role: role,
      runID: try path.text(message.run_id, "run_id", mayBeEmpty: true),
      modelHash: try path.text(message.model_hash, "model_hash", mayBeEmpty: true),
      name: try path.text(message.name, "name"), incarnation: try path.number(message.incarnation, "incarnation"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Hello> {
    let message = arena.make(stepwise__hello__init)
    message.pointee.protocol_version = UInt32(protocolVersion)
    message.pointee.role = role.code
    message.pointee.run_id = arena.string(runID)
    message.pointee.model_hash = arena.string(modelHash)
    message.pointee.name = arena.string(name)
    message.pointee.incarnation = UInt64(incarnation)
    return message
  }
}

extension Welcome: Coded {
  init(_ message: Stepwise__Welcome, _ path: FieldPath) throws {
    self.init(
      runID: try path.text(message.run_id, "run_id"),
      runSeed: message.run_seed, policy: try path.required(message.policy, "policy"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Welcome> {
    let message = arena.make(stepwise__welcome__init)
    message.pointee.run_id = arena.string(runID)
    message.pointee.run_seed = runSeed
    message.pointee.policy = policy.packed(in: arena)
    return message
  }
}

extension Refusal: Coded {
  init(_ message: Stepwise__Refusal, _ path: FieldPath) throws {
    self.init(
      reason: try path.text(message.reason, "reason", mayBeEmpty: true),
      numbers: try path.numbers(message.numbers, message.n_numbers, "numbers"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Refusal> {
    let message = arena.make(stepwise__refusal__init)
    message.pointee.reason = arena.string(reason)
    message.pointee.n_numbers = numbers.count
    message.pointee.numbers = arena.array(numbers.map { UInt64($0) })
    return message
  }
}

extension Heartbeat: Coded {
  init(_ message: Stepwise__Heartbeat, _ path: FieldPath) throws { self.init() }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Heartbeat> {
    arena.make(stepwise__heartbeat__init)
  }
}

extension Goodbye: Coded {
  init(_ message: Stepwise__Goodbye, _ path: FieldPath) throws {
    self.init(reason: try path.text(message.reason, "reason", mayBeEmpty: true))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Goodbye> {
    let message = arena.make(stepwise__goodbye__init)
    message.pointee.reason = arena.string(reason)
    return message
  }
}
