// What peers say about themselves: who they are, whether they fit, that they live, that they go.

internal import CMessages

/// Version of the protocol; peers of another version are refused.
package let protocolVersion = 1

/// What a process does in a run.
package enum Role: String, Sendable, CaseIterable {
  /// As the wire names them.
  case actor, rewardServer, router, learner, tool

  var code: Stepwise__V1__Role {
    switch self {
    case .actor: STEPWISE__V1__ROLE__ACTOR
    case .rewardServer: STEPWISE__V1__ROLE__REWARD_SERVER
    case .router: STEPWISE__V1__ROLE__ROUTER
    case .learner: STEPWISE__V1__ROLE__LEARNER
    case .tool: STEPWISE__V1__ROLE__TOOL
    }
  }
}

/// The first message of every connection.
package struct Hello: Sendable, Equatable {
  /// The sender's `protocolVersion`.
  package var protocolVersion: Int
  /// What the sender does in the run.
  package var role: Role
  /// The run it belongs to; empty: whichever it meets.
  package var runID: String
  /// Digest of its model folder; empty: it holds none.
  package var modelHash: String
  /// The sender's, unique in the run.
  package var name: String
  /// Larger in every later life of the same name.
  package var incarnation: Int

  /// A greeting; by default of this program's protocol, to whichever run.
  package init(
    protocolVersion: Int = Messages.protocolVersion, role: Role, runID: String = "", modelHash: String = "",
    name: String, incarnation: Int
  ) {
    self.protocolVersion = protocolVersion
    self.role = role
    self.runID = runID
    self.modelHash = modelHash
    self.name = name
    self.incarnation = incarnation
  }

  /// Why this peer cannot take part, or nil. An empty run or model on either side fits all.
  package func mismatch(runID: String, modelHash: String, roles: Set<Role>) -> String? {
    func differs(_ one: String, _ other: String) -> Bool { !one.isEmpty && !other.isEmpty && one != other }
    if protocolVersion != Messages.protocolVersion {
      return "\(name) speaks protocol version \(protocolVersion), expected \(Messages.protocolVersion); "
        + "run the same release of Stepwise everywhere"
    }
    if !roles.contains(role) {
      let expected = roles.map(\.rawValue).sorted().joined(separator: " or ")
      return "\(name) is a \(role.rawValue), expected \(expected); is the endpoint the right one?"
    }
    if differs(self.runID, runID) {
      return "\(name) belongs to run \(self.runID), expected \(runID); start it with this run's configuration"
    }
    if differs(self.modelHash, modelHash) {
      return "\(name) has the model \(self.modelHash), expected \(modelHash); give it the learner's model folder"
    }
    return nil
  }
}

/// The learner's answer to a `Hello` that fits.
package struct Welcome: Sendable, Equatable {
  /// The run that the learner leads.
  package var runID: String
  /// Fingerprint of its model folder.
  package var modelHash: String
  /// Seed of all of the run's random numbers.
  package var runSeed: UInt64
  /// The policy in force.
  package var policy: PolicyNotice

  /// The answer with all it says.
  package init(runID: String, modelHash: String, runSeed: UInt64, policy: PolicyNotice) {
    self.runID = runID
    self.modelHash = modelHash
    self.runSeed = runSeed
    self.policy = policy
  }
}

/// The answer to a message that cannot be accepted.
package struct Refusal: Sendable, Equatable {
  /// What was expected, what was found, what to do.
  package var reason: String
  /// Groups it concerns, which are not to be sent again; none: it concerns the connection itself.
  package var numbers: [Int]

  /// A refusal of groups, or of the connection.
  package init(reason: String, numbers: [Int] = []) {
    self.reason = reason
    self.numbers = numbers
  }
}

/// A sign of life from the work loop.
package struct Heartbeat: Sendable, Equatable {
  /// Counts up.
  package var sequence: Int
  /// Requests or groups being worked on.
  package var inFlight: Int
  /// Requests it would take beyond those.
  package var credits: Int

  /// A beat; by default of somebody with nothing to do and no room.
  package init(sequence: Int, inFlight: Int = 0, credits: Int = 0) {
    self.sequence = sequence
    self.inFlight = inFlight
    self.credits = credits
  }
}

/// The sender leaves on purpose; what it held may go to others at once.
package struct Goodbye: Sendable, Equatable {
  /// Why; may be empty.
  package var reason: String

  /// A farewell.
  package init(reason: String = "") { self.reason = reason }
}

extension Hello: Coded {
  init(_ message: Stepwise__V1__Hello, _ place: FieldPath) throws {
    guard let role = Role.allCases.first(where: { $0.code == message.role }) else {
      throw place.failure("role", "expected a role 1 to 5, found \(message.role.rawValue)")
    }
    self.init(
      protocolVersion: try place.number(message.protocol_version, "protocol_version"), role: role,
      runID: try place.text(message.run_id, "run_id", mayBeEmpty: true),
      modelHash: try place.text(message.model_hash, "model_hash", mayBeEmpty: true),
      name: try place.text(message.name, "name"), incarnation: try place.number(message.incarnation, "incarnation"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Hello> {
    let message = arena.make(stepwise__v1__hello__init)
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
  init(_ message: Stepwise__V1__Welcome, _ place: FieldPath) throws {
    self.init(
      runID: try place.text(message.run_id, "run_id"),
      modelHash: try place.text(message.model_hash, "model_hash", mayBeEmpty: true), runSeed: message.run_seed,
      policy: try place.required(message.policy, "policy"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Welcome> {
    let message = arena.make(stepwise__v1__welcome__init)
    message.pointee.run_id = arena.string(runID)
    message.pointee.model_hash = arena.string(modelHash)
    message.pointee.run_seed = runSeed
    message.pointee.policy = policy.packed(in: arena)
    return message
  }
}

extension Refusal: Coded {
  init(_ message: Stepwise__V1__Refusal, _ place: FieldPath) throws {
    self.init(
      reason: try place.text(message.reason, "reason", mayBeEmpty: true),
      numbers: try place.numbers(message.numbers, message.n_numbers, "numbers"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Refusal> {
    let message = arena.make(stepwise__v1__refusal__init)
    message.pointee.reason = arena.string(reason)
    message.pointee.n_numbers = numbers.count
    message.pointee.numbers = arena.array(numbers.map { UInt64($0) })
    return message
  }
}

extension Heartbeat: Coded {
  init(_ message: Stepwise__V1__Heartbeat, _ place: FieldPath) throws {
    self.init(
      sequence: try place.number(message.sequence, "sequence"),
      inFlight: try place.number(message.in_flight, "in_flight"),
      credits: try place.number(message.credits, "credits"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Heartbeat> {
    let message = arena.make(stepwise__v1__heartbeat__init)
    message.pointee.sequence = UInt64(sequence)
    message.pointee.in_flight = UInt32(inFlight)
    message.pointee.credits = UInt32(credits)
    return message
  }
}

extension Goodbye: Coded {
  init(_ message: Stepwise__V1__Goodbye, _ place: FieldPath) throws {
    self.init(reason: try place.text(message.reason, "reason", mayBeEmpty: true))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Goodbye> {
    let message = arena.make(stepwise__v1__goodbye__init)
    message.pointee.reason = arena.string(reason)
    return message
  }
}
