// The dispatch policy of the router, without sockets or clocks.

import Engine
import Messages
import RewardServer
import Testing

@Suite
struct RouterStateMachineTests {
  let client: RouterStateMachine.Peer = [1]

  @Test func `a request goes to a server that offers the reward and the reply has the client's number`() throws {
    var machine = machine(offering: ["size"])
    let sent = try #require(dispatches(machine.request(request(77, ["size"]), from: client, now: .zero)).first)
    #expect(sent.peer == [10])
    #expect(sent.request.rewards == ["size"])
    let answer = answers(machine.reply(reply(sent.request.id, "size", [0.5, nil]), from: [10], now: .zero))
    #expect(answer == [Answer(client: client, reply: reply(77, "size", [0.5, nil]))])
  }

  @Test func `requests are spread by load within the credits`() {
    var machine = RouterStateMachine()
    for peer in 0..<3 { _ = machine.ready(server("s\(peer)", ["size"], credits: 2), from: [UInt8(peer)], now: .zero) }
    var given: [RouterStateMachine.Peer: [UInt64]] = [:]
    for id in 0..<8 {
      for sent in dispatches(machine.request(request(UInt64(id), ["size"]), from: client, now: .zero)) {
        given[sent.peer, default: []].append(sent.request.id)
      }
    }
    #expect(given.values.map(\.count) == [2, 2, 2])
    #expect(machine.load.waiting == 2)
    let next = dispatches(machine.reply(reply(given[[1]]![0], "size", [1, 1]), from: [1], now: .zero))
    #expect(next.map(\.peer) == [[1]])
    #expect(machine.load.waiting == 1)
  }

  @Test func `several rewards of a request are answered together in their order`() throws {
    var machine = machine(offering: ["size"])
    _ = machine.ready(server("b", ["taste"]), from: [11], now: .zero)
    let sent = dispatches(machine.request(request(5, ["taste", "size"]), from: client, now: .zero))
    #expect(Set(sent.map(\.peer)) == [[10], [11]])
    let size = try #require(sent.first { $0.peer == [10] }), taste = try #require(sent.first { $0.peer == [11] })
    #expect(answers(machine.reply(reply(size.request.id, "size", [1, 2]), from: [10], now: .zero)).isEmpty)
    let answer = answers(machine.reply(reply(taste.request.id, "taste", [3, 4]), from: [11], now: .zero))
    #expect(answer.first?.reply.results.map(\.reward) == ["taste", "size"])
  }

  @Test func `the tasks of a silent server go to another`() throws {
    var machine = machine(offering: ["size"])
    let first = try #require(dispatches(machine.request(request(1, ["size"]), from: client, now: .zero)).first)
    _ = machine.ready(server("b", ["size"]), from: [11], now: .seconds(10))
    #expect(dispatches(machine.tick(now: .seconds(14))).isEmpty)
    let second = try #require(dispatches(machine.tick(now: .seconds(16))).first)
    #expect(second.peer == [11])
    #expect(second.request.id == first.request.id)
  }

  @Test func `the first answer of a lost or a new server counts and the second is dropped`() throws {
    var machine = machine(offering: ["size"])
    let sent = try #require(dispatches(machine.request(request(1, ["size"]), from: client, now: .zero)).first)
    _ = machine.ready(server("b", ["size"]), from: [11], now: .seconds(15))
    _ = machine.tick(now: .seconds(16))
    let late = answers(machine.reply(reply(sent.request.id, "size", [1, 1]), from: [10], now: .seconds(17)))
    #expect(late.count == 1)
    #expect(answers(machine.reply(reply(sent.request.id, "size", [2, 2]), from: [11], now: .seconds(18))).isEmpty)
  }

  @Test func `a request that loses three servers is abandoned`() throws {
    var machine = RouterStateMachine()
    for peer in 0..<4 { _ = machine.ready(server("s\(peer)", ["size"]), from: [UInt8(peer)], now: .zero) }
    var effects = machine.request(request(1, ["size"]), from: client, now: .zero)
    var lost = 0
    while let sent = dispatches(effects).first {
      lost += 1
      effects = machine.lost(sent.peer, reason: "died", now: .zero)
    }
    #expect(lost == 3)
    let result = try #require(answers(effects).first?.reply.results.first)
    #expect(result.values == [nil, nil])
    #expect(result.error.contains("3 reward servers"))
    #expect(machine.load.servers == 1)
  }

  @Test func `a failed request goes to another server`() throws {
    var machine = machine(offering: ["size"])
    let first = try #require(dispatches(machine.request(request(1, ["size"]), from: client, now: .zero)).first)
    _ = machine.ready(server("b", ["size"]), from: [11], now: .zero)
    let failure = reply(first.request.id, "size", [nil, nil], error: "out of memory")
    let second = try #require(dispatches(machine.reply(failure, from: [10], now: .zero)).first)
    #expect(second.peer == [11])
    #expect(answers(machine.reply(reply(second.request.id, "size", [1, 2]), from: [11], now: .zero)).count == 1)
  }

  @Test func `a request without any score is repeated and then missing`() throws {
    var machine = machine(offering: ["size"])
    var effects = machine.request(request(1, ["size"]), from: client, now: .zero)
    var tries = 0
    while let sent = dispatches(effects).first {
      tries += 1
      effects = machine.reply(reply(sent.request.id, "size", [nil, nil], error: "no model"), from: [10], now: .zero)
    }
    #expect(tries == 3)
    #expect(answers(effects).first?.reply.results.first?.error.contains("no model") == true)
  }

  @Test func `the deadline ends a request with the reason`() throws {
    var machine = machine(offering: ["taste"])
    #expect(machine.request(request(1, ["size"], deadline: 1000), from: client, now: .zero).isEmpty)
    #expect(answers(machine.tick(now: .milliseconds(999))).isEmpty)
    let answer = try #require(answers(machine.tick(now: .milliseconds(1000))).first)
    #expect(answer.reply.id == 1)
    #expect(answer.reply.results[0].values == [nil, nil])
    #expect(answer.reply.results[0].error.contains("no reward server offers size"))
    #expect(answer.reply.results[0].error.contains("taste"))
  }

  @Test func `a request with gradients goes to servers with gradients or is refused by name`() throws {
    var machine = RouterStateMachine()
    _ = machine.ready(server("plain", ["size", "taste"], credits: 9), from: [10], now: .zero)
    _ = machine.ready(server("smooth", ["taste"], credits: 9, gradient: true), from: [11], now: .zero)
    let sent = try #require(dispatches(machine.request(gradientRequest(1, "taste"), from: client, now: .zero)).first)
    #expect(sent.peer == [11])
    let refused = try #require(answers(machine.request(gradientRequest(2, "size"), from: client, now: .zero)).first)
    #expect(refused.reply.results[0].values == [nil, nil])
    #expect(
      refused.reply.results[0].error == "the reward size of plain has no gradient; "
        + "rewards with a gradient: taste")
    #expect(machine.offers == [
      RewardVersion(name: "size", version: "1"), RewardVersion(name: "taste", version: "1", hasGradient: true),
    ])
    // No server offers it yet, but one may join.
    #expect(machine.request(gradientRequest(3, "depth"), from: client, now: .zero).isEmpty)
  }

  @Test func `a reply without the requested gradient is a failure`() throws {
    var machine = RouterStateMachine()
    _ = machine.ready(server("smooth", ["taste"], gradient: true), from: [11], now: .zero)
    var effects = machine.request(gradientRequest(1, "taste"), from: client, now: .zero)
    for gradient in [nil, Tensor.zeros([2, 1, 2, 3]), Tensor.zeros([2, 1, 1, 3])] {
      let sent = try #require(dispatches(effects).first)
      let result = ScoreResult(reward: "taste", version: "1", values: [1, 2], gradient: gradient)
      effects = machine.reply(ScoreReply(id: sent.request.id, results: [result]), from: [11], now: .zero)
    }
    #expect(answers(effects).first?.reply.results.first?.values == [1, 2])
  }

  @Test(arguments: [1, 3])
  func `a wrong number of scores is reported after three attempts`(count: Int) throws {
    var machine = machine(offering: ["size"])
    var effects = machine.request(request(1, ["size"]), from: client, now: .zero)
    while let sent = dispatches(effects).first {
      let values = [Float?](repeating: 1, count: count)
      effects = machine.reply(reply(sent.request.id, "size", values), from: [10], now: .zero)
    }
    let result = try #require(answers(effects).first?.reply.results.first)
    #expect(result.values == [nil, nil])
    #expect(result.error.contains("a: size: \(count) scores for 2 images"))
  }

  @Test func `a repeated request is scored once`() {
    var machine = RouterStateMachine()
    _ = machine.ready(server("a", ["size"], credits: 5), from: [10], now: .zero)
    #expect(dispatches(machine.request(request(1, ["size"]), from: client, now: .zero)).count == 1)
    #expect(machine.request(request(1, ["size"]), from: client, now: .zero).isEmpty)
    #expect(dispatches(machine.request(request(1, ["size"]), from: [2], now: .zero)).count == 1)
  }

  @Test func `the number of requests per client is bounded`() throws {
    var machine = RouterStateMachine()
    for id in 0..<64 { #expect(machine.request(request(UInt64(id), ["size"]), from: client, now: .zero).isEmpty) }
    let refused = try #require(answers(machine.request(request(64, ["size"]), from: client, now: .zero)).first)
    #expect(refused.reply.results[0].error.contains("64"))
    #expect(machine.request(request(1, ["size"]), from: [2], now: .zero).isEmpty)
  }

  @Test func `a goodbye does not count as a failure of the tasks`() throws {
    var machine = RouterStateMachine()
    var effects = machine.request(request(1, ["size"]), from: client, now: .zero)
    for peer in 0..<6 {
      effects += machine.ready(server("s\(peer)", ["size"]), from: [UInt8(peer)], now: .zero)
      #expect(dispatches(effects).last?.peer == [UInt8(peer)])
      effects = machine.goodbye([UInt8(peer)], now: .zero)
    }
    #expect(answers(effects).isEmpty)
    #expect(machine.load.waiting == 1)
  }

  @Test(arguments: 0..<20)
  func `every request is answered exactly once`(seed: Int) {
    var random = Arithmetic(state: UInt64(seed) &* 7919 &+ 1)
    var machine = RouterStateMachine()
    var now = Duration.zero
    var asked = 0
    var answered: [UInt64: Int] = [:]
    var flying: [(peer: RouterStateMachine.Peer, id: UInt64)] = []
    func absorb(_ effects: [RouterStateMachine.Effect]) {
      for sent in dispatches(effects) { flying.append((sent.peer, sent.request.id)) }
      for answer in answers(effects) { answered[answer.reply.id, default: 0] += 1 }
    }
    for _ in 0..<2000 {
      now += .milliseconds(random.next(200))
      switch random.next(10) {
      case 0, 1, 2:
        absorb(machine.request(request(UInt64(asked), ["size"], deadline: 20_000), from: client, now: now))
        asked += 1
      case 3, 4:
        absorb(machine.ready(server("s", ["size"], credits: 2), from: [UInt8(random.next(5))], now: now))
      case 5: absorb(machine.lost([UInt8(random.next(5))], reason: "died", now: now))
      case 6: absorb(machine.tick(now: now))
      case 7: absorb(machine.goodbye([UInt8(random.next(5))], now: now))
      default:
        guard !flying.isEmpty else { continue }
        let (peer, id) = flying.remove(at: random.next(flying.count))
        let broken = random.next(4) == 0
        absorb(
          machine.reply(
            reply(id, "size", broken ? [nil, nil] : [1, 2], error: broken ? "broken" : ""), from: peer, now: now))
      }
    }
    absorb(machine.tick(now: now + .seconds(60)))
    #expect(answered.count == asked)
    #expect(answered.values.allSatisfy { $0 == 1 })
    #expect(machine.load.waiting == 0 && machine.load.inFlight == 0)
  }

  // MARK: - Helpers

  struct Answer: Equatable {
    let client: RouterStateMachine.Peer
    let reply: ScoreReply
  }

  struct Arithmetic {
    var state: UInt64

    mutating func next(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(below))
    }
  }

  /// A router with the server `a`, whose identity is 10.
  func machine(offering rewards: [String]) -> RouterStateMachine {
    var machine = RouterStateMachine()
    _ = machine.ready(server("a", rewards), from: [10], now: .zero)
    return machine
  }

  func server(_ name: String, _ rewards: [String], credits: Int = 1, gradient: Bool = false) -> ServerReady {
    ServerReady(
      name: name, rewards: rewards.map { RewardVersion(name: $0, version: "1", hasGradient: gradient) },
      credits: credits)
  }

  func gradientRequest(_ id: UInt64, _ reward: String) -> ScoreRequest {
    ScoreRequest(
      id: id, rewards: [reward], prompts: ["a cat", "a dog"], images: .pixels(Tensor.zeros([2, 1, 1, 3])),
      deadline: 60_000)
  }

  func request(_ id: UInt64, _ rewards: [String], deadline: Int = 60_000) -> ScoreRequest {
    let images = ImageBatch(count: 2, height: 1, width: 1, pixels: [UInt8](repeating: 7, count: 6))
    return ScoreRequest(
      id: id, rewards: rewards, prompts: ["a cat", "a dog"], images: .bytes(images), deadline: deadline)
  }

  func reply(_ id: UInt64, _ reward: String, _ values: [Float?], error: String = "") -> ScoreReply {
    ScoreReply(id: id, results: [ScoreResult(reward: reward, version: "1", values: values, error: error)])
  }

  func dispatches(_ effects: [RouterStateMachine.Effect]) -> [(peer: RouterStateMachine.Peer, request: ScoreRequest)] {
    effects.compactMap { if case .dispatch(let peer, let request) = $0 { (peer, request) } else { nil } }
  }

  func answers(_ effects: [RouterStateMachine.Effect]) -> [Answer] {
    effects.compactMap {
      if case .answer(let client, let reply) = $0 { Answer(client: client, reply: reply) } else { nil }
    }
  }
}
