// The choice of routers and the repetition of requests, without sockets or clocks.

import Messages
import RewardClient
import Testing

@Suite
struct ScoreExchangeTests {
  @Test func `the first answer completes a request`() throws {
    var exchange = exchange(routers: 1)
    let asked = try #require(asks(exchange.submit(request, number: 7, now: .zero)).first)
    #expect(asked.request.deadline == 60_000)
    let effects = exchange.reply(reply(asked.request.id, [0.5]), router: 0, now: .seconds(1))
    #expect(effects == [.scored(number: 7, reply(asked.request.id, [0.5]))])
    #expect(exchange.reply(reply(asked.request.id, [0.5]), router: 0, now: .seconds(1)).isEmpty)
    #expect(exchange.count == 0)
  }

  @Test func `routers are asked in turn`() {
    var exchange = exchange(routers: 3)
    let routers = (0..<6).flatMap { asks(exchange.submit(request, number: $0, now: .zero)).map(\.router) }
    #expect(routers == [0, 1, 2, 0, 1, 2])
  }

  @Test func `a request moves to another router if its own falls silent`() throws {
    var exchange = exchange(routers: 2)
    let first = try #require(asks(exchange.submit(request, number: 0, now: .zero)).first)
    exchange.heard(router: 1, now: .seconds(14))
    #expect(exchange.tick(now: .seconds(15)).isEmpty)
    let second = try #require(asks(exchange.tick(now: .seconds(16))).first)
    #expect(first.router == 0 && second.router == 1)
    #expect(first.request.id == second.request.id)
    #expect(second.request.deadline == 44_000)
    #expect(exchange.tick(now: .seconds(17)).isEmpty)
  }

  @Test func `a request that could not be sent goes to another router`() throws {
    var exchange = exchange(routers: 2)
    let first = try #require(asks(exchange.submit(request, number: 0, now: .zero)).first)
    exchange.notSent(first.request.id, now: .zero)
    #expect(exchange.tick(now: .milliseconds(49)).isEmpty)
    #expect(asks(exchange.tick(now: .milliseconds(50))).map(\.router) == [1])
  }

  @Test func `a request without any score is repeated twice after a pause`() throws {
    var exchange = exchange(routers: 1)
    let asked = try #require(asks(exchange.submit(request, number: 3, now: .zero)).first)
    let failed = reply(asked.request.id, [nil], error: "no server")
    for time in [1, 3] {
      #expect(exchange.reply(failed, router: 0, now: .seconds(time)).isEmpty)
      #expect(asks(exchange.tick(now: .seconds(time))).isEmpty)
      #expect(asks(exchange.tick(now: .seconds(time + 1))).count == 1)
    }
    #expect(exchange.reply(failed, router: 0, now: .seconds(5)) == [.scored(number: 3, failed)])
  }

  @Test func `at the deadline the scores are missing with the reason`() throws {
    var exchange = exchange(routers: 1)
    _ = exchange.submit(request, number: 9, now: .zero)
    exchange.heard(router: 0, now: .seconds(50))
    #expect(exchange.tick(now: .seconds(60)).isEmpty)
    guard case .scored(let number, let reply)? = exchange.tick(now: .seconds(61)).first else {
      Issue.record("expected a result")
      return
    }
    #expect(number == 9)
    #expect(reply.results[0].values == [nil])
    #expect(reply.results[0].error.contains("no router answered"))
  }

  @Test func `a reply that does not match the request is a failure`() throws {
    var exchange = exchange(routers: 1)
    let asked = try #require(asks(exchange.submit(request, number: 0, now: .zero)).first)
    for time in [0, 2] {
      #expect(exchange.reply(reply(asked.request.id, [1, 2]), router: 0, now: .seconds(time)).isEmpty)
      _ = exchange.tick(now: .seconds(time + 1))
    }
    guard case .scored(_, let reply)? = exchange.reply(
      reply(asked.request.id, [1, 2]), router: 0, now: .seconds(4)).first
    else {
      Issue.record("expected a result")
      return
    }
    #expect(reply.results[0].values == [nil])
  }

  func exchange(routers: Int) -> ScoreExchange {
    ScoreExchange(routers: routers, silenceLimit: .seconds(15), deadline: .seconds(60))
  }

  let request = ScoreRequest(
    id: 0, rewards: ["size"], prompts: ["a cat"],
    images: .bytes(ImageBatch(count: 1, height: 1, width: 1, pixels: [1, 2, 3])), deadline: 0)

  func reply(_ id: UInt64, _ values: [Float?], error: String = "") -> ScoreReply {
    ScoreReply(id: id, results: [ScoreResult(reward: "size", version: "1", values: values, error: error)])
  }

  func asks(_ effects: [ScoreExchange.Effect]) -> [(router: Int, request: ScoreRequest)] {
    effects.compactMap { if case .ask(let router, let request) = $0 { (router, request) } else { nil } }
  }
}
