// A received message and its sender, which is identified by its key.

package import Roles

package enum Sender: Sendable, Equatable {
  /// The context has no keys, or the message came from this process.
  case unknown
  /// The holder of this key.
  case known(AllowedKey)
  /// The key was removed from the allow-list after the sender had connected.
  case revoked

  /// The reason why an endpoint that accepts only some roles refuses this sender; nil if it accepts it.
  package func objection(roles: Set<Role>) -> String? {
    switch self {
    case .unknown: nil
    case .known(let key) where roles.contains(key.role): nil
    case .known(let key):
      "the key \(key.name) has the role \(key.role.rawValue), expected "
        + roles.map(\.rawValue).sorted().joined(separator: " or ") + ". Give the process a key of its role."
    case .revoked: "the key of this peer was revoked"
    }
  }
}

package struct Received: Sendable {
  /// The frames. At a ROUTER the first one is the routing identity of the peer.
  package let parts: [Frame]
  package let sender: Sender
  package var frames: [[UInt8]] { parts.map(\.bytes) }
}
