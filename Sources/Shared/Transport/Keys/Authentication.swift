// The decision whether a key may connect to an endpoint, in the protocol by which libzmq requests it (ZAP,
// rfc.zeromq.org/spec/27). It is a pure function of the frames of the request and of the keyring. A malformed request
// is refused.

internal import Roles

struct Authentication {
  let reply: [[UInt8]]
  /// The reason why the peer was refused, for the log; nil if it was accepted, or for the key of the self-test.
  let complaint: String?

  /// The domain of endpoints that accept every key on the list, because they check the role of each message's sender.
  static let anyRole = "any"

  /// The domain of endpoints that accept only these roles.
  static func domain(_ roles: Set<Role>) -> String { roles.map(\.rawValue).sorted().joined(separator: ",") }

  /// - Parameters:
  ///   - frames: Version, request identifier, domain, address, identity, mechanism and credentials.
  ///   - silent: The key of the self-test, whose refusal is not logged.
  init(_ frames: [[UInt8]], _ ring: Keyring, silent: String?) {
    let id = frames.count > 1 ? frames[1] : []
    func text(_ index: Int) -> String { index < frames.count ? String(decoding: frames[index], as: UTF8.self) : "" }
    guard frames.count == 7, text(0) == "1.0", text(5) == "CURVE", let key = z85(frames[6]) else {
      self.init(
        id, code: "400", user: "",
        "refused \(text(3)): expected the mechanism CURVE, found \(text(5)). Set network.keys there.")
      return
    }
    do {
      guard let entry = try ring.entry(atHandshakeOf: key) else {
        let complaint = "refused \(text(3)): its key \(key) is not on the allow-list. Add it with `stepwise keys`."
        self.init(id, code: "400", user: "", key == silent ? nil : complaint)
        return
      }
      let domain = text(2)
      guard domain == Self.anyRole || domain.split(separator: ",").contains(where: { $0 == entry.role.rawValue }) else {
        self.init(
          id, code: "400", user: "",
          "refused \(entry.name) at \(text(3)): its key has the role \(entry.role.rawValue), and this endpoint accepts "
            + domain)
        return
      }
      self.init(id, code: "200", user: key, nil)
    } catch {
      // With code 300 the peer tries again later: the problem is on this side.
      self.init(id, code: "300", user: "", "no new connections are accepted: \(error)")
    }
  }

  private init(_ id: [UInt8], code: String, user: String, _ complaint: String?) {
    let text = code == "200" ? "OK" : "refused"
    reply = [Array("1.0".utf8), id, Array(code.utf8), Array(text.utf8), Array(user.utf8), []]
    self.complaint = complaint
  }
}
