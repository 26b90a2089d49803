// A router and reward servers on real sockets.

import Configuration
import Foundation
import Logging
import Messages
import RewardServer
import Rewards
import Testing
import Threads
import Transport

@Suite("Router and reward servers", .serialized)
struct RouterTests {
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Scores a picture by its first byte; 255 cannot be scored, 254 is not a number, 253 breaks the scorer.
  struct FirstByte: Scorer {
    let name = "first-byte"
    let version = "1"

    func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
      try prompts.indices.map { index in
        switch images[index * height * width * 3] {
        case 255: return nil
        case 254: return .nan
        case 253: throw ScorerError("a picture that breaks the scorer")
        case let byte: return Float(byte)
        }
      }
    }
  }

  @Test("Scores come back; failed and not-a-number ones are missing, never 0", arguments: [
    ("inproc://front", "inproc://back"), ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
  ])
  func scores(front: String, back: String) throws {
    try withRouter(front, back) { context, endpoints in
      let server = try scoringServer(context, endpoints.back, "ada")
      let client = try Socket(context, .dealer)
      try client.connect(endpoints.front)
      let result = try #require(try ask(client, 1, [0, 7, 255, 254, 9]).results.first)
      #expect(result.values == [0, 7, nil, nil, 9])
      #expect(result.version == "1")
      let broken = try #require(try ask(client, 2, [253]).results.first)
      #expect(broken.values == [nil])
      #expect(broken.error.contains("breaks the scorer"))
      server.stop()
      try server.join()
    }
  }

  @Test("A server that vanishes in the middle loses nothing: others take over")
  func killed() throws {
    try withRouter("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", silence: 1) { context, endpoints in
      let fake = try Socket(context, .dealer)
      try fake.connect(endpoints.back)
      let ready = ServerReady(
        name: "doomed", rewards: [RewardVersion(name: "first-byte", version: "1")], batchSize: 8, credits: 4)
      try send(fake, .serverReady(ready))
      let client = try Socket(context, .dealer)
      try client.connect(endpoints.front)
      for id in 1...3 { try send(client, .scoreRequest(request(UInt64(id), [UInt8(id)]))) }
      // The doomed server holds them, and never says anything again.
      for _ in 1...3 { #expect(try fake.receive(timeout: .seconds(10)) != nil) }
      let server = try scoringServer(context, endpoints.back, "rescue")
      var found: [UInt64: [Float?]] = [:]
      while found.count < 3 {
        let reply = try receiveReply(client)
        found[reply.id] = reply.results[0].values
      }
      #expect(found == [1: [1], 2: [2], 3: [3]])
      server.stop()
      try server.join()
    }
  }

  @Test("Four clients and two servers: every request is answered with its own scores")
  func crowd() throws {
    try withRouter("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") { context, endpoints in
      let servers = try ["ada", "bob"].map { try scoringServer(context, endpoints.back, $0) }
      let front = endpoints.front
      let clients = (0..<4).map { number in
        ServiceThread(name: "client \(number)") {
          let client = try Socket(context, .dealer)
          try client.connect(front)
          for id in 0..<50 {
            let byte = UInt8((number * 50 + id) % 250)
            let reply = try ask(client, UInt64(id), [byte, 3])
            #expect(reply.id == UInt64(id))
            #expect(reply.results.first?.values == [Float(byte), 3])
          }
        }
      }
      for client in clients { try client.join() }
      for server in servers { server.stop() }
      for server in servers { try server.join() }
    }
  }

  @Test("A broken message is ignored, and others are still served")
  func broken() throws {
    try withRouter("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") { context, endpoints in
      let server = try scoringServer(context, endpoints.back, "ada")
      let rude = try Socket(context, .dealer), client = try Socket(context, .dealer)
      try rude.connect(endpoints.front)
      try client.connect(endpoints.front)
      _ = try rude.send([[1, 2, 3], [4]])
      _ = try rude.send([[UInt8](repeating: 255, count: 1000)])
      #expect(try ask(client, 1, [5]).results.first?.values == [5])
      server.stop()
      try server.join()
    }
  }

  @Test("A server without a router ends, and says where it looked and what to do")
  func nobody() throws {
    let context = try Context()
    let options = ScoringOptions(
      name: "lonely",
      network: NetworkSettings {
        $0.routerBackends = ["tcp://127.0.0.1:1"]
        $0.connectTimeout = 0.05
        $0.heartbeatInterval = 0.02
      })
    let server = try ScoringService(context, options, logger: logger) { [FirstByte()] }
    let error = #expect(throws: AbsentPeer.self) { try server.join() }
    #expect(error?.description.contains("tcp://127.0.0.1:1") == true)
    #expect(error?.description.contains("stepwise-reward-server route") == true)
  }

  @Test("An unknown reward is refused at the start, and the known ones are named")
  func unknownReward() throws {
    var configuration = Configuration()
    configuration.reward.weights = ["beauty": 1]
    let context = try Context()
    do {
      _ = try RewardService.server(context, configuration, name: "x", logger: logger)
      Issue.record("expected a refusal")
    } catch {
      #expect("\(error)".contains("beauty") && "\(error)".contains("jpeg-compressibility"))
    }
  }

  @Test("A router's port that is in use is refused")
  func portInUse() throws {
    try withRouter("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") { context, endpoints in
      let error = #expect(throws: TransportError.self) {
        _ = try RouterService(context, front: endpoints.front, back: "tcp://127.0.0.1:*", logger: logger)
      }
      #expect(error?.kind == .addressInUse)
    }
  }

  // MARK: - Vocabulary

  func withRouter(
    _ front: String, _ back: String, silence: Double = 15,
    _ body: (Context, RouterService.Endpoints) throws -> Void
  ) throws {
    let context = try Context()
    let router = try RouterService(
      context, front: front, back: back,
      network: NetworkSettings {
        $0.silenceLimit = silence
        $0.heartbeatInterval = 0.05
      }, logger: logger)
    defer { router.stop() }
    try body(context, router.endpoints)
    router.stop()
    try router.join()
  }

  func scoringServer(_ context: Context, _ router: String, _ name: String) throws -> ScoringService {
    let options = ScoringOptions(
      name: name,
      reward: RewardSettings {
        $0.requestsAtOnce = 2
        $0.batchSize = 2
      },
      network: NetworkSettings {
        $0.routerBackends = [router]
        $0.heartbeatInterval = 0.05
      })
    return try ScoringService(context, options, logger: logger) { [FirstByte()] }
  }
}

private func request(_ id: UInt64, _ bytes: [UInt8]) -> ScoreRequest {
  let pixels = bytes.flatMap { [UInt8](repeating: $0, count: 12) }
  return ScoreRequest(
    id: id, rewards: ["first-byte"], prompts: bytes.map { "\($0)" },
    images: .bytes(ImageBatch(count: bytes.count, height: 2, width: 2, pixels: pixels)), deadline: 20_000)
}

private func send(_ socket: borrowing Socket, _ message: Message) throws {
  let bytes = message.encode(), end = ContinuousClock.now + .seconds(10)
  while try socket.send([bytes]) == .full {
    try #require(ContinuousClock.now < end)
    _ = try Poller().wait(for: [socket.writable], timeout: .milliseconds(100))
  }
}

private func receiveReply(_ socket: borrowing Socket) throws -> ScoreReply {
  let frames = try #require(try socket.receive(timeout: .seconds(20)))
  guard case .scoreReply(let reply) = try Message(decoding: frames[0], from: "router") else {
    throw ScorerError("expected a reply")
  }
  return reply
}

private func ask(_ socket: borrowing Socket, _ id: UInt64, _ bytes: [UInt8]) throws -> ScoreReply {
  try send(socket, .scoreRequest(request(id, bytes)))
  return try receiveReply(socket)
}
