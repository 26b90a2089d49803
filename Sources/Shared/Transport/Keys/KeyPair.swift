// Who a process is: a CURVE key pair in a file that only its owner may read, and the role that it stands for.

internal import CZeroMQ
internal import Glibc

/// What the holder of a key may do in a run.
package enum KeyRole: String, Sendable, CaseIterable {
  /// Takes assignments and inserts trajectories, fetches policies, asks for scores.
  case actor
  /// Offers rewards to routers; nothing else.
  case rewardServer
  /// Passes scores on; others connect to it.
  case router
  /// Hands out work and policies, and asks for scores; others connect to it.
  case learner
  /// Asks for scores, as the user's tool does.
  case tool

  /// The role in key files, allow-lists and file names.
  package var name: String { self == .rewardServer ? "reward-server" : rawValue }

  /// The role of this name in key files and allow-lists; nil when there is none.
  package init?(name: some StringProtocol) {
    guard let role = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = role
  }

  /// The names of all roles, for errors.
  static var names: String { allCases.map(\.name).joined(separator: ", ") }
}

/// A CURVE key pair: X25519 keys, written as 40 characters of Z85 each.
package struct KeyPair: Sendable, Equatable {
  /// Known to everybody.
  package let publicKey: String
  /// Known to its owner.
  package let secretKey: String

  /// A new pair.
  ///
  /// - Throws: `TransportError` when the messaging library was built without CURVE.
  package init() throws {
    var publicText = [CChar](repeating: 0, count: 41)
    var secretText = publicText
    guard zmq_curve_keypair(&publicText, &secretText) == 0 else {
      throw TransportError.system(zmq_errno(), "making a CURVE key pair (expected a libzmq with CURVE)")
    }
    publicKey = Self.text(publicText)
    secretKey = Self.text(secretText)
  }

  /// Reads a pair's file.
  ///
  /// - Throws: `TransportError` of kind `.keys` when it cannot be read, when others than its owner may read it, or when
  ///   its two keys do not belong together.
  package init(file: String) throws {
    let content = try KeyFile.read(file)
    guard content.mode & 0o077 == 0 else {
      throw TransportError(
        .keys,
        "\(file): expected a secret key that only its owner may read (mode 0600), found mode 0"
          + "\(String(content.mode & 0o777, radix: 8)). If nobody can have copied it: chmod 600 \(file); else make a "
          + "new one with `stepwise keys` and take the old one off the allow-list.")
    }
    var keys: [String: String] = [:]
    for line in content.text.split(whereSeparator: \.isNewline) where !line.hasPrefix("# ") {
      let words = line.split(separator: " ")
      if words.count == 2 { keys[String(words[0])] = String(words[1]) }
    }
    guard let publicKey = keys["public"], let secretKey = keys["secret"], Self.derived(from: secretKey) == publicKey
    else {
      throw TransportError(
        .keys,
        "\(file): expected the lines `public KEY` and `secret KEY` of one CURVE pair, found others. Make it anew with "
          + "`stepwise keys`.")
    }
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// Writes the pair to a new file that only its owner may read.
  ///
  /// - Throws: `TransportError` of kind `.keys` when the file exists already or cannot be written.
  package func write(to file: String) throws {
    try KeyFile.create(
      file, "# A CURVE key pair of Stepwise. Whoever has the secret key is this peer: keep the file private.\n"
        + "public \(publicKey)\nsecret \(secretKey)\n")
  }

  /// Whether a text can be a public or secret key.
  static func isKey(_ text: some StringProtocol) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 32)
    return text.utf8.count == 40 && zmq_z85_decode(&bytes, String(text)) != nil
  }

  private static func derived(from secretKey: String) -> String? {
    guard isKey(secretKey) else { return nil }
    var publicText = [CChar](repeating: 0, count: 41)
    return zmq_curve_public(&publicText, secretKey) == 0 ? text(publicText) : nil
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix(40).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// A key of 32 bytes as text; nil when it has another size.
func z85(_ key: [UInt8]) -> String? {
  guard key.count == 32 else { return nil }
  var text = [CChar](repeating: 0, count: 41)
  guard zmq_z85_encode(&text, key, key.count) != nil else { return nil }
  return String(decoding: text.prefix(40).map(UInt8.init(bitPattern:)), as: UTF8.self)
}
