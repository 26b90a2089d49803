// Keys over real sockets: who gets in, who does not, and how each side hears of it.

import Foundation
import Logging
import Synchronization
import Testing
import Threads
import Transport

private let patience = Duration.seconds(20)

/// Keeps what is logged.
final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }

  var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

  private struct Handler: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.add("\(event.message)") }
  }
}

/// A folder with a pair for each role and the list of them.
private struct Keys {
  let folder: URL
  var list = AllowList()
  var listFile: String { folder.appending(path: Keyring.allowListName).path }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-keys-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for role in KeyRole.allCases { try add(role, role.name) }
  }

  mutating func add(_ role: KeyRole, _ name: String) throws {
    let pair = try KeyPair()
    try pair.write(to: file(name))
    try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: name))
    try list.write(to: listFile)
  }

  func file(_ name: String) -> String { folder.appending(path: "\(name).key").path }

  func context(_ role: KeyRole, name: String? = nil, logger: Logger = Lines().logger) throws -> Context {
    let security = try Security(folder: folder.path, file: name.map(file) ?? "", insecure: false, role: role)
    return try Context(security: security, logger: logger)
  }

  /// A context with a pair that nobody else knows.
  func strangersContext() throws -> Context {
    try Context(security: .keys(Keyring(own: KeyPair(), allowList: listFile)), logger: Lines().logger)
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// Waits for something that another thread does.
private func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  let end = ContinuousClock.now + patience
  while ContinuousClock.now < end {
    if try condition() { return true }
    Thread.sleep(forTimeInterval: 0.02)
  }
  return false
}

/// What a refused socket throws when it is asked for messages.
private func refusal(of socket: borrowing Socket) throws -> String? {
  do {
    _ = try socket.receive(timeout: patience)
    return nil
  } catch let error as TransportError where error.kind == .refusedKey {
    return error.description
  }
}

@Suite("Keys") struct KeyTests {
  @Test("A listed key gets in, its messages carry its name and role, and an answer comes back")
  func listed() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let router = try Socket(keys.context(.learner), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    let dealer = try Socket(keys.context(.actor), .dealer)
    try dealer.connect(bound, to: .learner)
    #expect(try sendPatiently(dealer, [[1, 2, 3]]) == .sent)
    let received = try #require(try receiveFromPeer(router))
    #expect(received.frames.last == [1, 2, 3])
    guard case .known(let key) = received.sender else { throw Nobody() }
    #expect(key.role == .actor && key.name == "actor")
    #expect(received.sender.objection(roles: [.actor]) == nil)
    #expect(try router.send([received.frames[0], [4]]) == .sent)
    #expect(try dealer.receive(timeout: patience) == [[4]])
  }

  @Test("A random key is refused with an error that says so, and the other side logs it once")
  func random() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let router = try Socket(keys.context(.learner, logger: lines.logger), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    for _ in 0..<2 {
      let dealer = try Socket(keys.strangersContext(), .dealer)
      try dealer.connect(bound, to: .learner)
      let refused = try #require(try refusal(of: dealer))
      #expect(refused.contains(bound) && refused.contains("not on the peer's allow-list"))
    }
    #expect(eventually { lines.all.count == 2 })
    #expect(lines.all.allSatisfy { $0.contains("is not on the allow-list") && $0.contains("127.0.0.1") })
    #expect(Set(lines.all).count == 2)
    #expect(try router.receive() == nil)
  }

  @Test("Without keys nobody gets in where keys are used, and neither the other way round")
  func none() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let closed = try Socket(keys.context(.learner, logger: lines.logger), .router)
    let bound = try closed.bind("tcp://127.0.0.1:*", roles: [.actor])
    // Who sees it first says it plainly; the other sees a handshake that is broken off again and again.
    func isTold(_ lines: Lines, _ words: String) -> Bool {
      lines.all.contains { $0.contains(words) || $0.contains("broke off during the handshake") }
    }
    let plainLines = Lines()
    let plain = try Socket(Context(logger: plainLines.logger), .dealer)
    try plain.connect(bound)
    #expect(eventually { isTold(plainLines, "this process has no keys, the peer uses keys") })
    #expect(try plain.send([[1]]) == .full)

    let open = try Socket(Context(logger: Lines().logger), .router)
    let carefulLines = Lines()
    let careful = try Socket(keys.context(.actor, logger: carefulLines.logger), .dealer)
    try careful.connect(open.bind("tcp://127.0.0.1:*"), to: .learner)
    #expect(eventually { isTold(carefulLines, "this process uses keys, the peer has none") })
    #expect(try careful.send([[1]]) == .full)
    #expect(try closed.receive() == nil && open.receive() == nil)
  }

  @Test("A peer that is not what its key says gets nothing")
  func impostor() throws {
    let keys = try Keys()
    defer { keys.remove() }
    // A reward server that took the learner's endpoint.
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

  @Test("A publisher admits only the roles that it is for")
  func publisher() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let publisher = try Socket(keys.context(.learner, logger: lines.logger), .publisher)
    let bound = try publisher.bind("tcp://127.0.0.1:*", roles: [.actor])
    let wrong = try Socket(keys.context(.rewardServer), .subscriber)
    try wrong.subscribe()
    try wrong.connect(bound, to: .learner)
    #expect(try #require(try refusal(of: wrong)).contains("of a role that has no business there"))
    #expect(eventually { lines.all.contains { $0.contains("its key is that of a reward-server, this endpoint is for actor") } })
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

  @Test("A wrong role's messages are told apart, and a revoked key's too, on a connection that exists")
  func revoked() throws {
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
    #expect(objections[0]?.reason.contains("a key of the role actor, found that of reward-server") == true)

    try keys.list.revoke("gpu-7")
    try keys.list.write(to: keys.listFile)
    let isSeen = try eventually {
      #expect(try sendPatiently(dealer, [[2]]) == .sent)
      return try receiveFromPeer(router)?.sender == .revoked
    }
    #expect(isSeen)
    #expect(Sender.revoked.objection(roles: [.actor]) == "the key of this peer was revoked")
    // It does not get in again either.
    let again = try Socket(
      Context(security: .keys(Keyring(own: KeyPair(file: keys.file("gpu-7")), allowList: keys.listFile))), .dealer)
    try again.connect(bound, to: .learner)
    #expect(try refusal(of: again) != nil)
    // Somebody added meanwhile does.
    try keys.add(.actor, "gpu-8")
    let fresh = try Socket(keys.context(.actor, name: "gpu-8"), .dealer)
    try fresh.connect(bound, to: .learner)
    #expect(try sendPatiently(fresh, [[3]]) == .sent)
    #expect(try eventually { try receiveFromPeer(router)?.frames.last == [3] })
  }

  @Test("Beyond this machine nothing is bound or connected without keys")
  func beyond() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let plain = try Socket(Context(), .dealer)
    #expect(throws: TransportError.self) { try plain.connect("tcp://10.1.2.3:5555") }
    let asked = try Socket(Context(security: .insecure), .router)
    #expect(try asked.bind("tcp://0.0.0.0:*").hasPrefix("tcp://0.0.0.0:"))
    let keyed = try Socket(keys.context(.learner), .router)
    #expect(try keyed.bind("tcp://0.0.0.0:*", roles: [.actor]).hasPrefix("tcp://0.0.0.0:"))
  }

  @Test("A list that became unreadable lets nobody new in, until it is mended")
  func brokenList() throws {
    let keys = try Keys()
    defer { keys.remove() }
    let lines = Lines()
    let router = try Socket(keys.context(.learner, logger: lines.logger), .router)
    let bound = try router.bind("tcp://127.0.0.1:*", roles: [.actor])
    let actor = try keys.context(.actor)
    try "actor nonsense ada\n".write(toFile: keys.listFile, atomically: true, encoding: .utf8)
    let dealer = try Socket(actor, .dealer)
    try dealer.connect(bound, to: .learner)
    #expect(eventually { lines.all.contains { $0.contains("nobody can connect for now") && $0.contains("allowed-keys:1:") } })
    #expect(try dealer.send([[1]]) == .full)
    try keys.list.write(to: keys.listFile)
    #expect(try sendPatiently(dealer, [[1]]) == .sent)
    #expect(try receiveFromPeer(router)?.frames.last == [1])
  }

  @Test("Files of keys that cannot be right are named, with what to do")
  func files() throws {
    let keys = try Keys()
    defer { keys.remove() }
    func error(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "none"
    }
    #expect(chmod(keys.file("actor"), 0o644) == 0)
    let open = error { _ = try keys.context(.actor) }
    #expect(open.contains("actor.key: expected a secret key that only its owner may read (mode 0600), found mode 0644"))
    #expect(error { _ = try keys.context(.actor, name: "absent") }.contains("absent.key: expected a file of keys"))
    #expect(error { _ = try keys.context(.actor, name: "learner") }.contains("found one of a learner"))
    try "public a\nsecret b\n".write(toFile: keys.file("bad"), atomically: true, encoding: .utf8)
    #expect(chmod(keys.file("bad"), 0o600) == 0)
    #expect(error { _ = try KeyPair(file: keys.file("bad")) }.contains("of one CURVE pair, found others"))
    #expect(error { try KeyPair().write(to: keys.file("tool")) }.contains("it exists already"))
    func list(_ text: String) -> String {
      error {
        try text.write(toFile: keys.listFile, atomically: true, encoding: .utf8)
        _ = try AllowList(file: keys.listFile)
      }
    }
    #expect(list("actor\n").contains("allowed-keys:1: expected `ROLE PUBLIC-KEY NAME`, found 1 words"))
    #expect(list("\nking \(keys.list.keys[0].publicKey) a\n").contains(":2: expected one of the roles actor, reward-server"))
    #expect(list("actor abc a\n").contains("expected a public key of 40 characters of Z85, found 3"))
    let twice = "actor \(keys.list.keys[0].publicKey) a\n"
    #expect(list(twice + twice).contains("found those of a"))
  }

  private struct Nobody: Error {}

  private func receiveFromPeer(_ socket: borrowing Socket) throws -> Received? {
    let end = ContinuousClock.now + patience
    while ContinuousClock.now < end {
      if let received = try socket.receiveFromPeer() { return received }
      _ = try Poller().wait(for: [socket.readable], timeout: .milliseconds(200))
    }
    return nil
  }
}
