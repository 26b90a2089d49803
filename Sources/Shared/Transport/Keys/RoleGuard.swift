// The check whether the sender of a message has a role that an endpoint accepts. The role is that of the key of the
// connection, whatever the message says.

package import Roles

package struct RoleGuard: Sendable {
  private let roles: Set<Role>
  /// Reasons that were returned before; bounded, because they contain only names on the allow-list.
  private var told: Set<String> = []

  /// - Parameter roles: The roles that the endpoint accepts.
  package init(_ roles: Set<Role>) { self.roles = roles }

  /// The reason to refuse a message; nil if it is accepted.
  ///
  /// - Returns: The reason, and whether it is new and therefore worth a line in the log.
  package mutating func objection(to sender: Sender) -> (reason: String, isNews: Bool)? {
    guard let reason = sender.objection(roles: roles) else { return nil }
    return (reason, told.insert(reason).inserted)
  }
}
