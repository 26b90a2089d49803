// A process's own keys and the list of those it deals with. The list is read again when its file changes, so that a
// key can be added or revoked while everything runs; while the file cannot be read, nobody new is let in.

internal import Synchronization

/// The keys of one process. Safe to share between threads.
package final class Keyring: Sendable {
  private struct State {
    var list: AllowList
    var byKey: [String: AllowedKey]
    var stamp: KeyFile.Stamp?
    var readAt: ContinuousClock.Instant
  }

  /// File of the list in a folder of keys.
  package static let allowListName = "allowed-keys"

  let own: KeyPair
  private let file: String
  private let state: Mutex<State>

  /// - Parameters:
  ///   - own: this process's pair.
  ///   - allowList: file of the list.
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

  /// The line of a key in the list as it is on disk now; nil when it is not on it.
  ///
  /// - Throws: `TransportError` of kind `.keys` when the list has become unreadable.
  func entry(atHandshakeOf key: String) throws -> AllowedKey? {
    try state.withLock { state in
      try refresh(&state)
      return state.byKey[key]
    }
  }

  /// The line of a key whose connection exists, at most a second old; a list that has become unreadable stays in force.
  func entry(of key: String) -> AllowedKey? {
    state.withLock { state in
      if ContinuousClock.now - state.readAt > .seconds(1) {
        do { try refresh(&state) } catch { state.readAt = .now }
      }
      return state.byKey[key]
    }
  }

  /// The public key by which a peer of this role proves itself: the line named as the role, or else its first.
  ///
  /// - Throws: `TransportError` of kind `.keys` when the list has none.
  func serverKey(_ role: KeyRole) throws -> String {
    let keys = state.withLock { $0.list.keys.filter { $0.role == role } }
    guard let key = keys.first(where: { $0.name == role.name }) ?? keys.first else {
      throw TransportError(
        .keys,
        "\(file): expected a line with the \(role.name)'s public key, found none. "
          + "Copy the list that `stepwise keys` wrote.")
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

/// How far a context's sockets may reach.
package enum Security: Sendable {
  /// Not beyond this machine; nothing is encrypted.
  case loopback
  /// Anywhere, unencrypted and unchecked: asked for in so many words.
  case insecure
  /// Anywhere; every connection is encrypted, and only keys on the list connect.
  case keys(Keyring)

  /// What a configuration says.
  ///
  /// - Parameters:
  ///   - folder: of keys, as `stepwise keys` makes it; empty for none.
  ///   - file: this process's key file; empty for `ROLE.key` in the folder.
  ///   - insecure: allows addresses of other machines without keys.
  ///   - role: this process's.
  /// - Throws: `TransportError` of kind `.keys` when a file cannot be used, or the list has not this process's own key
  ///   in this role.
  package init(folder: String, file: String = "", insecure: Bool, role: KeyRole) throws {
    guard !folder.isEmpty else {
      self = insecure ? .insecure : .loopback
      return
    }
    let file = file.isEmpty ? "\(folder)/\(role.name).key" : file
    let own = try KeyPair(file: file)
    let list = "\(folder)/\(Keyring.allowListName)"
    let ring = try Keyring(own: own, allowList: list)
    guard let entry = ring.entry(of: own.publicKey), entry.role == role else {
      throw TransportError(
        .keys,
        "\(file): expected a key that \(list) has as that of a \(role.name), found "
          + (ring.entry(of: own.publicKey).map { "one of a \($0.role.name)" } ?? "one that is not on the list")
          + ". Give the process its own key, or add one with `stepwise keys`.")
    }
    self = .keys(ring)
  }

  /// Whether connections are encrypted, which takes more I/O threads.
  package var isEncrypted: Bool {
    if case .keys = self { true } else { false }
  }
}
