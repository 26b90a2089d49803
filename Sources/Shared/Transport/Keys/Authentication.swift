// The answer to "may this key connect here?", as libzmq asks it (ZAP, rfc.zeromq.org/spec/27): a pure function of the
// request's frames and of the keyring. What it does not understand it refuses.

/// One request of ZAP and its answer.
struct Authentication {
  /// Frames of the reply.
  let reply: [[UInt8]]
  /// Why the peer was refused, for the log; nil when it was let in, or nobody needs to know.
  let complaint: String?

  /// Domain of endpoints where every key on the list may connect, because each message is judged by its sender's role.
  static let anyRole = "any"

  /// The domain that admits these roles only.
  static func domain(_ roles: Set<KeyRole>) -> String { roles.map(\.name).sorted().joined(separator: ",") }

  /// - Parameters:
  ///   - frames: version, request id, domain, address, identity, mechanism, credentials.
  ///   - ring: knows the keys.
  ///   - silent: a key whose refusal is no news: the self-test's.
  init(_ frames: [[UInt8]], _ ring: Keyring, silent: String?) {
    let id = frames.count > 1 ? frames[1] : []
    func text(_ index: Int) -> String { index < frames.count ? String(decoding: frames[index], as: UTF8.self) : "" }
    guard frames.count == 7, text(0) == "1.0", text(5) == "CURVE", let key = z85(frames[6]) else {
      self.init(id, code: "400", user: "", "refused \(text(3)): expected CURVE with one key, found \(text(5))")
      return
    }
    do {
      guard let entry = try ring.entry(atHandshakeOf: key) else {
        let complaint = "refused \(text(3)): its key \(key) is not on the allow-list; add it with `stepwise keys`"
        self.init(id, code: "400", user: "", key == silent ? nil : complaint)
        return
      }
      let domain = text(2)
      guard domain == Self.anyRole || domain.split(separator: ",").contains(where: { $0 == entry.role.name }) else {
        self.init(
          id, code: "400", user: "",
          "refused \(entry.name) at \(text(3)): its key is that of a \(entry.role.name), this endpoint is for \(domain)")
        return
      }
      self.init(id, code: "200", user: key, nil)
    } catch {
      // 300 makes the peer try again: the fault is here.
      self.init(id, code: "300", user: "", "nobody can connect for now: \(error)")
    }
  }

  private init(_ id: [UInt8], code: String, user: String, _ complaint: String?) {
    reply = [Array("1.0".utf8), id, Array(code.utf8), Array((code == "200" ? "OK" : "refused").utf8), Array(user.utf8), []]
    self.complaint = complaint
  }
}
