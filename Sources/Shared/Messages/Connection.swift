// Messages that open, keep alive and end a connection.

internal import CMessages
package import Roles

/// Version of the protocol. Peers of another version are refused.
package let protocolVersion = 2

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

/// The first message of a connection. Repeated, it is a heartbeat.
package struct Hello: Sendable, Equatable {
  package var protocolVersion: Int
  package var role: Role
  /// The run that the sender belongs to; empty: any run.
  package var runID: String
  /// Fingerprint of the sender's model folder; empty: any model.
  package var modelHash: String
  /// Name of the sender, unique in the run.
  package var name: String
  /// Counts the starts of the named process.
  package var incarnation: Int

  package init(
    protocolVersion: Int = Messages.protocolVersion, role: Role, runID: String = "", modelHash: String = "",
    name: String, incarnation: Int = 0
  ) {
    self.protocolVersion = protocolVersion
    self.role = role
    self.runID = runID
    self.modelHash = modelHash
    self.name = name
    self.incarnation = incarnation
  }

  /// The reason to refuse the sender, or nil. An empty run or model on either side matches any other.
  package func mismatch(runID: String, modelHash: String, roles: Set<Role>) -> String? {
    func differs(_ one: String, _ other: String) -> Bool { !one.isEmpty && !other.isEmpty && one != other }
    if protocolVersion != Messages.protocolVersion {
      return "\(name) uses protocol version \(protocolVersion), expected \(Messages.protocolVersion); "
        + "run the same release of Stepwise on all machines"
    }
    if !roles.contains(role) {
      let expected = roles.map(\.rawValue).sorted().joined(separator: " or ")
      return "\(name) has the role \(role.rawValue), expected \(expected); check the endpoint"
    }
    if differs(self.runID, runID) {
      return "\(name) belongs to run \(self.runID), expected \(runID); start it with the configuration of this run"
    }
    if differs(self.modelHash, modelHash) {
      return "\(name) has the model \(self.modelHash), expected \(modelHash); give it the learner's model folder"
    }
    return nil
  }
}

/// The learner accepts a `Hello`.
package struct Welcome: Sendable, Equatable {
  package var runID: String
  /// Seed of all random numbers of the run.
  package var runSeed: UInt64
  /// The newest policy.
  package var policy: PolicyNotice

  package init(runID: String, runSeed: UInt64, policy: PolicyNotice) {
    self.runID = runID
    self.runSeed = runSeed
    self.policy = policy
  }
}

/// A message was not accepted.
package struct Refusal: Sendable, Equatable {
  /// The problem, and how to solve it.
  package var reason: String
  /// The refused groups, which must not be sent again; empty: the connection is refused.
  package var numbers: [Int]

  package init(reason: String, numbers: [Int] = []) {
    self.reason = reason
    self.numbers = numbers
  }
}

/// A sign that the sender is alive.
package struct Heartbeat: Sendable, Equatable {
  package init() {}
}

/// The sender leaves on purpose. Its work may be assigned to others at once.
package struct Goodbye: Sendable, Equatable {
  /// May be empty.
  package var reason: String

  package init(reason: String = "") { self.reason = reason }
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
