// Who may say anything at an endpoint: every message is judged by the key of the connection that it came over.

/// Judges senders at one endpoint. A pure value.
package struct RoleGuard: Sendable {
  private let roles: Set<KeyRole>
  /// Names that were told already; a list's names, so not many.
  private var told: Set<String> = []

  /// - Parameter roles: whose keys have business here.
  package init(_ roles: Set<KeyRole>) { self.roles = roles }

  /// Why a message is to be refused; nil: it is to be read.
  ///
  /// - Returns: the reason, and whether this sender is refused for the first time, which is worth a line in the log.
  package mutating func objection(to sender: Sender) -> (reason: String, isNews: Bool)? {
    guard let reason = sender.objection(roles: roles) else { return nil }
    return (reason, told.insert(reason).inserted)
  }
}
