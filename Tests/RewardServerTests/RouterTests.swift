// A router with reward servers and clients, on real sockets.

import Configuration
import Foundation
import Logging
import Messages
import RewardServer
import Rewards
import Roles
import Testing
import Threads
import Transport

@Suite(.serialized)
struct RouterTests {
  /// Scores a picture by its first byte. 255 has no score, 254 has the score NaN, and 253 makes the scorer fail.
  struct FirstByte: Scorer {
    let name = "first-byte"
    let version = "1"

    func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
      try prompts.indices.map { index in
        switch images[index * height * width * 3] {
        case 255: return nil
        case 254: return .nan
        case 253: throw ScorerError("this picture fails")
        case let byte: return Float(byte)
        }
      }
    }
  }

  @Test(arguments: [
    ("inproc://front", "inproc://back"), ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
  ])
  func `scores are returned and failed scores are missing`(front: String, back: String) throws {
    try withRouter(front, back) { context, endpoints in
      let server = try scoringServer(context, endpoints.back, "ada") { [FirstByte()] }
      let client = try Socket(context, .dealer)
      try client.connect(endpoints.front)
      let result = try #require(try ask(client, 1, [0, 7, 255, 254, 9]).results.first)
      #expect(result.values == [0, 7, nil, nil, 9])
      #expect(result.version == "1")
      let broken = try #require(try ask(client, 2, [253]).results.first)
      #expect(broken.values == [nil])
      #expect(broken.error.contains("this picture fails"))
      server.stop()
      try server.join()
    }
  }

  @Test func `the requests of a lost server go to another`() throws {
    try withRouter(silenceLimit: 1) { context, endpoints in
      let fake = try Socket(context, .dealer)
      try fake.connect(endpoints.back)
      let ready = ServerReady(
        name: "doomed", rewards: [RewardVersion(name: "first-byte", version: "1")], credits: 4)
      try send(fake, .serverReady(ready))
      let client = try Socket(context, .dealer)
      try client.connect(endpoints.front)
      for id in 1...3 { try send(client, .scoreRequest(request(UInt64(id), [UInt8(id)]))) }
      // The fake server receives the requests and sends nothing more.
      for _ in 1...3 { #expect(try fake.receive(timeout: .seconds(10)) != nil) }
      let server = try scoringServer(context, endpoints.back, "rescue") { [FirstByte()] }
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

  @Test func `four clients of two servers receive their own scores`() throws {
    try withRouter { context, endpoints in
      let servers = try ["ada", "bob"].map { try scoringServer(context, endpoints.back, $0) { [FirstByte()] } }
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

  @Test func `an invalid message is ignored`() throws {
    try withRouter { context, endpoints in
      let server = try scoringServer(context, endpoints.back, "ada") { [FirstByte()] }
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

  @Test func `peers of another protocol version are refused by name and get no requests`() throws {
    try withRouter { context, endpoints in
      let offer = ServerReady(name: "old", rewards: [RewardVersion(name: "first-byte", version: "1")], credits: 4)
      for (role, endpoint) in [(Role.rewardServer, endpoints.back), (.actor, endpoints.front)] {
        let peer = try Socket(context, .dealer)
        try peer.connect(endpoint)
        try send(peer, .hello(Hello(protocolVersion: 1, role: role, name: "old")))
        let frames = try #require(try peer.receive(timeout: .seconds(10)))
        guard case .refusal(let refusal) = try Message(decoding: frames[0], from: "router") else {
          throw ScorerError("expected a refusal")
        }
        #expect(refusal.reason.contains("old uses protocol version 1, expected 2"))
        if role == .rewardServer { try send(peer, .serverReady(offer)) }
      }
      let client = try Socket(context, .dealer)
      try client.connect(endpoints.front)
      try send(client, .rewardsQuery(RewardsQuery()))
      let frames = try #require(try client.receive(timeout: .seconds(10)))
      guard case .rewardsOffered(let offered) = try Message(decoding: frames[0], from: "router") else {
        throw ScorerError("expected the offered rewards")
      }
      #expect(offered.rewards.isEmpty)
    }
  }

  @Test func `a server without a router ends with the endpoint and a hint`() throws {
    let context = try Context()
    let options = ScoringOptions(
      name: "lonely",
      network: NetworkSettings {
        $0.routerBackends = ["tcp://127.0.0.1:1"]
        $0.connectTimeout = 0.05
        $0.heartbeatInterval = 0.02
      })
    let server = try ScoringService(context, options, logger: quiet) { [FirstByte()] }
    let error = #expect(throws: AbsentPeer.self) { try server.join() }
    #expect(error?.description.contains("tcp://127.0.0.1:1") == true)
    #expect(error?.description.contains("stepwise-reward-server route") == true)
  }

  @Test func `an unknown reward is refused with the known names`() throws {
    var configuration = Configuration()
    configuration.reward.weights = ["beauty": 1]
    let context = try Context()
    do {
      _ = try ScoringRun.start(context, configuration, name: "x", logger: quiet)
      Issue.record("expected a refusal")
    } catch {
      #expect("\(error)".contains("beauty") && "\(error)".contains("jpeg-compressibility"))
    }
  }

  @Test func `a port in use is refused`() throws {
    try withRouter { context, endpoints in
      let error = #expect(throws: TransportError.self) {
        _ = try RouterService(context, front: endpoints.front, back: "tcp://127.0.0.1:*", logger: quiet)
      }
      #expect(error?.kind == .addressInUse)
    }
  }
}
