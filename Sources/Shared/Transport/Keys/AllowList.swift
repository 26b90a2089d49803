// Who may take part: a text file with a line a key. Taking a line out revokes the key, for connections that exist too.

/// One line of an allow-list.
package struct AllowedKey: Sendable, Equatable {
  /// What the key entitles to.
  package let role: KeyRole
  /// The public key, 40 characters of Z85.
  package let publicKey: String
  /// Names its holder in logs; unique in the list.
  package let name: String

  /// A line of the list.
  package init(role: KeyRole, publicKey: String, name: String) {
    self.role = role
    self.publicKey = publicKey
    self.name = name
  }
}

/// The keys that may take part in a run.
package struct AllowList: Sendable, Equatable {
  /// In the order of the file.
  package private(set) var keys: [AllowedKey] = []

  /// A list that lets nobody in.
  package init() {}

  /// Reads a list: `ROLE PUBLIC-KEY NAME` a line; empty lines, and those that begin with `# `, say nothing.
  ///
  /// - Throws: `TransportError` of kind `.keys` naming file and line.
  package init(file: String) throws {
    let text = try KeyFile.read(file).text
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let words = line.split(separator: " ")
      if words.isEmpty || words[0] == "#" { continue }
      func failure(_ problem: String) -> TransportError {
        TransportError(.keys, "\(file):\(number + 1): \(problem). `stepwise keys` writes such lines.")
      }
      guard words.count == 3 else { throw failure("expected `ROLE PUBLIC-KEY NAME`, found \(words.count) words") }
      guard let role = KeyRole(name: words[0]) else {
        throw failure("expected one of the roles \(KeyRole.names), found \(words[0])")
      }
      guard KeyPair.isKey(words[1]) else {
        throw failure("expected a public key of 40 characters of Z85, found \(words[1].count) that are none")
      }
      let key = AllowedKey(role: role, publicKey: String(words[1]), name: String(words[2]))
      if let twin = keys.first(where: { $0.publicKey == key.publicKey || $0.name == key.name }) {
        throw failure("expected a key and a name of its own, found those of \(twin.name)")
      }
      keys.append(key)
    }
  }

  /// Adds a key.
  ///
  /// - Throws: `TransportError` of kind `.keys` when the list has this name already, or the name is no word.
  package mutating func add(_ key: AllowedKey) throws {
    guard !key.name.isEmpty, key.name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }) else {
      throw TransportError(.keys, "\(key.name): expected a name of letters, digits, - _ and . for a key.")
    }
    guard !keys.contains(where: { $0.name == key.name }) else {
      throw TransportError(.keys, "\(key.name): expected a new name, found a key that has it. Revoke that one first.")
    }
    keys.append(key)
  }

  /// Takes a key off the list.
  ///
  /// - Throws: `TransportError` of kind `.keys` when nobody of this name is on it.
  package mutating func revoke(_ name: String) throws {
    guard let place = keys.firstIndex(where: { $0.name == name }) else {
      let names = keys.map(\.name).joined(separator: ", ")
      throw TransportError(.keys, "\(name): expected the name of a key on the list, found only \(names).")
    }
    keys.remove(at: place)
  }

  /// Replaces the file in one step; running processes see it within a second.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  package func write(to file: String) throws {
    let lines = keys.map { "\($0.role.name) \($0.publicKey) \($0.name)\n" }
    try KeyFile.replace(file, "# ROLE PUBLIC-KEY NAME: who may take part. Written by `stepwise keys`.\n" + lines.joined())
  }
}
