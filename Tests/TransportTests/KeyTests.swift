// Keys with real sockets: which peers are accepted, which are refused, and what each side reports.

import Foundation
import Roles
import Testing
import Transport

/// Repeats an attempt, which must wait for an event itself, until it succeeds; false after the time limit.
private func eventually(_ attempt: () throws -> Bool) rethrows -> Bool {
  let end = ContinuousClock.now + patience
  while ContinuousClock.now < end { if try attempt() { return true } }
  return false
}

/// The error that a refused socket throws when it receives.
private func refusal(of socket: borrowing Socket) throws -> String? {
  do {
    _ = try socket.receive(timeout: patience)
    return nil
  } catch let error as TransportError where error.kind == .refusedKey {
    return error.description
  }
}

@Suite struct KeyTests {
  @Test func `a listed key may connect and its messages carry its name and role`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let router = try Socket(keys.context(.learner), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    let dealer = try Socket(keys.context(.actor), .dealer)
    try dealer.connect(bound, to: .learner)
    #expect(try sendPatiently(dealer, [[1, 2, 3]]) == .sent)
    let received = try #require(try receiveFromPeer(router))
    #expect(received.frames.last == [1, 2, 3])
    guard case .known(let key) = received.sender else { throw Unidentified() }
    #expect(key.role == .actor && key.name == "actor")
    #expect(received.sender.objection(roles: [.actor]) == nil)
    #expect(try router.send([received.frames[0], [4]]) == .sent)
    #expect(try dealer.receive(timeout: patience) == [[4]])
  }

  @Test func `an unknown key is refused with an error and the other side logs it once`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let router = try Socket(keys.context(.learner, logger: lines.logger), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    for _ in 0..<2 {
      let dealer = try Socket(keys.strangersContext(), .dealer)
      try dealer.connect(bound, to: .learner)
      let refused = try #require(try refusal(of: dealer))
      #expect(refused.contains(bound) && refused.contains("not on the allow-list of the peer"))
    }
    #expect(lines.wait { $0.count == 2 })
    #expect(lines.all.allSatisfy { $0.contains("is not on the allow-list") && $0.contains("127.0.0.1") })
    #expect(Set(lines.all).count == 2)
    #expect(try router.receive() == nil)
  }

  @Test func `a peer with keys and a peer without keys do not connect`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let closed = try Socket(keys.context(.learner, logger: lines.logger), .router)
    let bound = try closed.bind("tcp://127.0.0.1:*", roles: [.actor])
    // The side that notices the mismatch first reports it. The other side reports aborted handshakes.
    func isTold(_ lines: Lines, _ words: String) -> Bool {
      lines.wait { $0.contains { $0.contains(words) || $0.contains("aborted three handshakes") } }
    }
    let plainLines = Lines()
    let plain = try Socket(Context(logger: plainLines.logger), .dealer)
    try plain.connect(bound)
    #expect(isTold(plainLines, "this process has no keys, and the peer uses keys"))
    #expect(try plain.send([[1]]) == .full)

    let open = try Socket(Context(logger: Lines().logger), .router)
    let carefulLines = Lines()
    let careful = try Socket(keys.context(.actor, logger: carefulLines.logger), .dealer)
    try careful.connect(open.bind("tcp://127.0.0.1:*"), to: .learner)
    #expect(isTold(carefulLines, "this process uses keys, and the peer has none"))
    #expect(try careful.send([[1]]) == .full)
    #expect(try closed.receive() == nil && open.receive() == nil)
  }

  @Test func `a server without the expected key receives nothing`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    // A reward server that uses the endpoint of the learner.
    let router = try Socket(keys.context(.rewardServer), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    var options = SocketOptions()
    options.lingerMilliseconds = 0
    let dealer = try Socket(keys.context(.actor), .dealer, options: options)
    try dealer.connect(bound, to: .learner)
    #expect(try dealer.send([[7]]) == .full)
    #expect(try router.receive(timeout: .milliseconds(300)) == nil)
    #expect(try dealer.send([[7]]) == .full)
  }

  @Test func `a publisher accepts only its roles`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let publisher = try Socket(keys.context(.learner, logger: lines.logger), .publisher)
    let bound = try publisher.bind("tcp://127.0.0.1:*", roles: [.actor])
    let wrong = try Socket(keys.context(.rewardServer), .subscriber)
    try wrong.subscribe()
    try wrong.connect(bound, to: .learner)
    #expect(try #require(try refusal(of: wrong)).contains("does not accept its role"))
    #expect(
      lines.wait { $0.contains { $0.contains("its key has the role reward-server, and this endpoint accepts actor") } })
    let right = try Socket(keys.context(.actor), .subscriber)
    try right.subscribe()
    try right.connect(bound, to: .learner)
    var heard: [[UInt8]]?
    #expect(
      try eventually {
        _ = try publisher.send([[5]])
        heard = try right.receive(timeout: .milliseconds(50))
        return heard != nil
      })
    #expect(heard == [[5]])
  }

  @Test func `messages of a wrong role and of a revoked key are recognized on open connections`() throws {
    var keys = try Keys()
    defer { keys.remove() }
    try keys.add(.actor, "gpu-7")
    let router = try Socket(keys.context(.learner), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    let dealer = try Socket(keys.context(.actor, name: "gpu-7"), .dealer)
    try dealer.connect(bound, to: .learner)
    let server = try Socket(keys.context(.rewardServer), .dealer)
    try server.connect(bound, to: .learner)
    #expect(try sendPatiently(server, [[1]]) == .sent)
    let wrong = try #require(try receiveFromPeer(router)).sender
    var judge = RoleGuard([.actor])
    let objections = [judge.objection(to: wrong), judge.objection(to: wrong)]
    #expect(objections.map { $0?.isNews } == [true, false])
    #expect(objections[0]?.reason.contains("the key reward-server has the role reward-server, expected actor") == true)

    try keys.list.revoke("gpu-7")
    try keys.list.write(to: keys.listFile)
    let isSeen = try eventually {
      #expect(try sendPatiently(dealer, [[2]]) == .sent)
      if try receiveFromPeer(router)?.sender == .revoked { return true }
      // The list is read again after a second, which is not an event: messages are sent at intervals.
      _ = try Poller().wait(for: [router.readable], timeout: .milliseconds(50))
      return false
    }
    #expect(isSeen)
    #expect(Sender.revoked.objection(roles: [.actor]) == "the key of this peer was revoked")
    // It cannot connect again.
    let again = try Socket(
      Context(security: .keys(Keyring(own: KeyPair(file: keys.file("gpu-7")), allowList: keys.listFile))), .dealer)
    try again.connect(bound, to: .learner)
    #expect(try refusal(of: again) != nil)
    // A key that was added in the meantime can.
    try keys.add(.actor, "gpu-8")
    let fresh = try Socket(keys.context(.actor, name: "gpu-8"), .dealer)
    try fresh.connect(bound, to: .learner)
    #expect(try sendPatiently(fresh, [[3]]) == .sent)
    #expect(try eventually { try receiveFromPeer(router)?.frames.last == [3] })
  }

  @Test func `endpoints of other machines need keys or insecure`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let plain = try Socket(Context(), .dealer)
    #expect(throws: TransportError.self) { try plain.connect("tcp://10.1.2.3:5555") }
    let asked = try Socket(Context(security: .insecure), .router)
    #expect(try asked.bind("tcp://0.0.0.0:*").hasPrefix("tcp://0.0.0.0:"))
    let keyed = try Socket(keys.context(.learner), .router)
    #expect(try keyed.bind("tcp://0.0.0.0:*", roles: [.actor]).hasPrefix("tcp://0.0.0.0:"))
  }

  @Test func `an unreadable allow-list accepts no new connection until it is repaired`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let router = try Socket(keys.context(.learner, logger: lines.logger), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    let actor = try keys.context(.actor)
    try "actor nonsense ada\n".write(toFile: keys.listFile, atomically: true, encoding: .utf8)
    let dealer = try Socket(actor, .dealer)
    try dealer.connect(bound, to: .learner)
    #expect(
      lines.wait {
        $0.contains { $0.contains("no new connections are accepted") && $0.contains("allowed-keys:1:") }
      })
    #expect(try dealer.send([[1]]) == .full)
    try keys.list.write(to: keys.listFile)
    #expect(try sendPatiently(dealer, [[1]]) == .sent)
    #expect(try receiveFromPeer(router)?.frames.last == [1])
  }

  @Test func `unusable key files are refused with the path and the problem`() throws {
    let keys = try Keys()
    defer { keys.remove() }
    func error(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "none"
    }
    #expect(chmod(keys.file("actor"), 0o644) == 0)
    let open = error { _ = try keys.context(.actor) }
    #expect(open.contains("actor.key: expected a secret key that only its owner may read (mode 0600), found mode 0644"))
    #expect(error { _ = try keys.context(.actor, name: "absent") }.contains("absent.key: could not read the key file"))
    #expect(error { _ = try keys.context(.actor, name: "learner") }.contains("found one of the role learner"))
    try "public a\nsecret b\n".write(toFile: keys.file("bad"), atomically: true, encoding: .utf8)
    #expect(chmod(keys.file("bad"), 0o600) == 0)
    #expect(error { _ = try KeyPair(file: keys.file("bad")) }.contains("of one CURVE pair, found others"))
    #expect(error { try KeyPair().write(to: keys.file("tool")) }.contains("the file already exists"))
    func list(_ text: String) -> String {
      error {
        try text.write(toFile: keys.listFile, atomically: true, encoding: .utf8)
        _ = try AllowList(file: keys.listFile)
      }
    }
    #expect(list("actor\n").contains("allowed-keys:1: expected `ROLE PUBLIC-KEY NAME`, found 1 words"))
    let king = list("\nking \(keys.list.keys[0].publicKey) a\n")
    #expect(king.contains(":2: expected one of the roles actor, reward-server"))
    #expect(list("actor abc a\n").contains("expected a public key of 40 Z85 characters, found 3"))
    let twice = "actor \(keys.list.keys[0].publicKey) a\n"
    #expect(list(twice + twice).contains("already used by a"))
  }

  private struct Unidentified: Error {}

  private func receiveFromPeer(_ socket: borrowing Socket) throws -> Received? {
    let end = ContinuousClock.now + patience
    while ContinuousClock.now < end {
      if let received = try socket.receiveFromPeer() { return received }
      _ = try Poller().wait(for: [socket.readable], timeout: .milliseconds(200))
    }
    return nil
  }
}
