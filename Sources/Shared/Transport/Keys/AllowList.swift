// The allow-list: a text file with one line per key. Removing a line revokes the key, also for open connections.

package import Roles

package struct AllowedKey: Sendable, Equatable {
  package let role: Role
  /// 40 characters of Z85.
  package let publicKey: String
  /// Name of the holder in logs, unique in the list.
  package let name: String

  package init(role: Role, publicKey: String, name: String) {
    (self.role, self.publicKey, self.name) = (role, publicKey, name)
  }
}

package struct AllowList: Sendable, Equatable {
  /// In the order of the file.
  package private(set) var keys: [AllowedKey] = []

  package init() {}

  /// Reads a list with lines of the form `ROLE PUBLIC-KEY NAME`. Empty lines and lines that begin with `# ` are
  /// ignored.
  ///
  /// - Throws: `TransportError` of kind `.keys` naming file and line.
  package init(file: String) throws {
    let text = try KeyFile.read(file).text
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let words = line.split(separator: " ")
      if words.isEmpty || words[0] == "#" { continue }
      func failure(_ problem: String) -> TransportError {
        TransportError(.keys, "\(file):\(number + 1): \(problem). Edit the list with `stepwise keys`.")
      }
      guard words.count == 3 else { throw failure("expected `ROLE PUBLIC-KEY NAME`, found \(words.count) words") }
      guard let role = Role(rawValue: String(words[0])) else {
        throw failure("expected one of the roles \(Role.names), found \(words[0])")
      }
      guard KeyPair.isKey(words[1]) else {
        throw failure("expected a public key of 40 Z85 characters, found \(words[1].count) characters that are not one")
      }
      let key = AllowedKey(role: role, publicKey: String(words[1]), name: String(words[2]))
      if let twin = keys.first(where: { $0.publicKey == key.publicKey || $0.name == key.name }) {
        throw failure("the key or the name is already used by \(twin.name)")
      }
      keys.append(key)
    }
  }

  /// Adds a key. Throws `TransportError` of kind `.keys` if the list already has the name, or if the name is malformed.
  package mutating func add(_ key: AllowedKey) throws {
    guard !key.name.isEmpty, key.name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }) else {
      throw TransportError(.keys, "\(key.name): the name of a key may contain letters, digits, `-`, `_` and `.` only.")
    }
    guard !keys.contains(where: { $0.name == key.name }) else {
      throw TransportError(.keys, "\(key.name): the name is already used. Revoke its key, or choose another name.")
    }
    keys.append(key)
  }

  /// Removes a key from the list. Throws `TransportError` of kind `.keys` if the list has no key of this name.
  package mutating func revoke(_ name: String) throws {
    guard let index = keys.firstIndex(where: { $0.name == name }) else {
      let names = keys.map(\.name).joined(separator: ", ")
      throw TransportError(.keys, "\(name): the list has no key of this name; it has \(names).")
    }
    keys.remove(at: index)
  }

  /// Replaces the file atomically. Running processes notice the change within a second.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  package func write(to file: String) throws {
    let lines = keys.map { "\($0.role.rawValue) \($0.publicKey) \($0.name)\n" }
    let comment = "# The allowed keys, as ROLE PUBLIC-KEY NAME. Written by `stepwise keys`.\n"
    try KeyFile.replace(file, comment + lines.joined())
  }
}
