// Messages that open, keep alive and end a connection.

package import Roles

/// Version of the protocol. Peers of another version are refused.
package let protocolVersion = 2

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
    (self.protocolVersion, self.role, self.runID) = (protocolVersion, role, runID)
    (self.modelHash, self.name, self.incarnation) = (modelHash, name, incarnation)
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

package struct Welcome: Sendable, Equatable {
  package var runID: String
  package var runSeed: UInt64
  package var policy: PolicyNotice

  package init(runID: String, runSeed: UInt64, policy: PolicyNotice) {
    (self.runID, self.runSeed, self.policy) = (runID, runSeed, policy)
  }
}

/// A message was not accepted.
package struct Refusal: Sendable, Equatable {
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
