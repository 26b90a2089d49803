// The CURVE key pair of a process, in a file that only its owner may read.

internal import CZeroMQ
internal import Glibc

/// A CURVE key pair: two X25519 keys of 40 Z85 characters each.
package struct KeyPair: Sendable, Equatable {
  package let publicKey: String
  package let secretKey: String

  /// Creates a new pair. Throws `TransportError` if libzmq was built without CURVE.
  package init() throws {
    var publicText = [CChar](repeating: 0, count: 41)
    var secretText = publicText
    guard zmq_curve_keypair(&publicText, &secretText) == 0 else {
      throw TransportError.system(zmq_errno(), "could not create a CURVE key pair; install a libzmq with CURVE")
    }
    publicKey = Self.text(publicText)
    secretKey = Self.text(secretText)
  }

  /// Reads the file of a pair.
  ///
  /// - Throws: `TransportError` of kind `.keys` if the file cannot be read, if other users may read it, or if its two
  ///   keys are not a pair.
  package init(file: String) throws {
    let content = try KeyFile.read(file)
    guard content.mode & 0o077 == 0 else {
      throw TransportError(
        .keys,
        "\(file): expected a secret key that only its owner may read (mode 0600), found mode 0"
          + "\(String(content.mode & 0o777, radix: 8)). If no other user has copied it, run `chmod 600 \(file)`. "
          + "Otherwise make a new one with `stepwise keys` and revoke the old one.")
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
        "\(file): expected the lines `public KEY` and `secret KEY` of one CURVE pair, found others. Make a new file "
          + "with `stepwise keys`.")
    }
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// Writes the pair to a new file that only its owner may read.
  ///
  /// - Throws: `TransportError` of kind `.keys` if the file already exists or cannot be written.
  package func write(to file: String) throws {
    try KeyFile.create(
      file, "# A CURVE key pair of Stepwise. The secret key proves the identity of this peer: keep the file private.\n"
        + "public \(publicKey)\nsecret \(secretKey)\n")
  }

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

/// The Z85 text of a 32-byte key; nil if it has another size.
func z85(_ key: [UInt8]) -> String? {
  guard key.count == 32 else { return nil }
  var text = [CChar](repeating: 0, count: 41)
  guard zmq_z85_encode(&text, key, key.count) != nil else { return nil }
  return String(decoding: text.prefix(40).map(UInt8.init(bitPattern:)), as: UTF8.self)
}
