// The key pair of a process and the allow-list. The list is read again when its file changes, so that keys can be added
// and revoked during a run. No new connections are accepted while the file cannot be read.

package import Roles
internal import Synchronization

/// The keys of one process. It may be shared between threads.
package final class Keyring: Sendable {
  private struct State {
    var list: AllowList
    var byKey: [String: AllowedKey]
    var stamp: KeyFile.Stamp?
    var readAt: ContinuousClock.Instant
  }

  /// Name of the allow-list in a folder of keys.
  package static let allowListName = "allowed-keys"

  let own: KeyPair
  private let file: String
  private let state: Mutex<State>

  /// - Parameters:
  ///   - own: The key pair of this process.
  ///   - file: The allow-list.
  /// - Throws: `TransportError` of kind `.keys`.
  package init(own: KeyPair, allowList file: String) throws {
    self.own = own
    self.file = file
    let stamp = KeyFile.stamp(file)
    let list = try AllowList(file: file)
    state = Mutex(State(list: list, byKey: Self.index(list), stamp: stamp, readAt: .now))
  }

  private static func index(_ list: AllowList) -> [String: AllowedKey] {
    Dictionary(list.keys.map { ($0.publicKey, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The entry of a key in the current list; nil if there is none.
  ///
  /// - Throws: `TransportError` of kind `.keys` if the list has become unreadable.
  func entry(atHandshakeOf key: String) throws -> AllowedKey? {
    try state.withLock { state in
      try refresh(&state)
      return state.byKey[key]
    }
  }

  /// The entry of the key of an open connection, at most a second old. If the list has become unreadable, its last
  /// content remains valid.
  func entry(of key: String) -> AllowedKey? {
    state.withLock { state in
      if ContinuousClock.now - state.readAt > .seconds(1) {
        do { try refresh(&state) } catch { state.readAt = .now }
      }
      return state.byKey[key]
    }
  }

  /// The public key that a server of this role must prove: the key that is named like the role, or else the first one.
  ///
  /// - Throws: `TransportError` of kind `.keys` if the list has no key of this role.
  func serverKey(_ role: Role) throws -> String {
    let keys = state.withLock { $0.list.keys.filter { $0.role == role } }
    guard let key = keys.first(where: { $0.name == role.rawValue }) ?? keys.first else {
      throw TransportError(
        .keys,
        "\(file): the list has no public key of the role \(role.rawValue). Copy the list that `stepwise keys` wrote.")
    }
    return key.publicKey
  }

  private func refresh(_ state: inout State) throws {
    state.readAt = .now
    let stamp = KeyFile.stamp(file)
    guard stamp == nil || stamp != state.stamp else { return }
    let list = try AllowList(file: file)
    state.list = list
    state.byKey = Self.index(list)
    state.stamp = stamp
  }
}

/// The endpoints that the sockets of a context may use, and whether their connections are encrypted.
package enum Security: Sendable {
  /// Endpoints of this machine only. Nothing is encrypted.
  case loopback
  /// All endpoints, without encryption or authentication. The user must request it explicitly.
  case insecure
  /// All endpoints. Every connection is encrypted, and only keys on the allow-list may connect.
  case keys(Keyring)

  /// - Parameters:
  ///   - folder: A folder of keys that `stepwise keys` made; empty for none.
  ///   - file: The key file of this process; empty for `ROLE.key` in the folder.
  ///   - insecure: Whether to allow addresses of other machines without keys.
  ///   - role: The role of this process.
  /// - Throws: `TransportError` of kind `.keys` if a file cannot be used, or if the list does not have the key of this
  ///   process in this role.
  package init(folder: String, file: String = "", insecure: Bool, role: Role) throws {
    guard !folder.isEmpty else {
      self = insecure ? .insecure : .loopback
      return
    }
    let file = file.isEmpty ? "\(folder)/\(role.rawValue).key" : file
    let own = try KeyPair(file: file)
    let list = "\(folder)/\(Keyring.allowListName)"
    let ring = try Keyring(own: own, allowList: list)
    guard let entry = ring.entry(of: own.publicKey), entry.role == role else {
      throw TransportError(
        .keys,
        "\(file): expected a key of the role \(role.rawValue), found "
          + (ring.entry(of: own.publicKey).map { "one of the role \($0.role.rawValue)" } ?? "one not in \(list)")
          + ". Choose another key file with network.keyFile, or add a key with `stepwise keys`.")
    }
    self = .keys(ring)
  }

  /// Whether connections are encrypted, which needs more I/O threads.
  package var isEncrypted: Bool {
    if case .keys = self { true } else { false }
  }
}
