// The learner's client of reward servers. It requests scores, and their gradients with respect to pixels, from the
// routers and waits for them. Every call returns by its deadline, with each score or the reason why it is missing.

internal import Basics
internal import Engine
package import Messages
internal import Roles
package import Settings
package import Threads
package import Transport

/// Requests scores from routers and waits for them. Not Sendable: it belongs to the thread that created it.
package final class ScoreClient {
  /// The largest number of requests in flight. A router accepts 64 of one client.
  private static let requestsInFlight = 32

  private let network: NetworkSettings
  private let name: String
  private let imagesPerRequest: Int
  private let sockets: DealerSet
  private let stop: StopFlag?
  private let start = ContinuousClock.now
  private var exchange: ScoreExchange
  private var nextHello = Duration.zero
  /// The last offer of each router.
  private var offers: [Int: [RewardVersion]] = [:]

  /// Starts to connect to the routers.
  ///
  /// - Parameters:
  ///   - name: Name of the client in errors.
  ///   - imagesPerRequest: Smaller requests spread a batch over more servers.
  ///   - stop: Ends waits early. Scores that have not arrived by then are missing.
  /// - Throws: `TransportError` if an endpoint is malformed.
  package init(
    _ context: Context, _ network: NetworkSettings, name: String, imagesPerRequest: Int = 8, stop: StopFlag? = nil
  ) throws {
    (self.network, self.name, self.imagesPerRequest, self.stop) = (network, name, imagesPerRequest, stop)
    sockets = try DealerSet(context, network.routers, to: .router, options: network.socketOptions)
    exchange = ScoreExchange(
      routers: network.routers.count, silenceLimit: .seconds(network.silenceLimit),
      deadline: .seconds(network.scoreDeadline))
  }

  private var now: Duration { ContinuousClock.now - start }

  /// Waits until every reward is offered.
  ///
  /// - Parameters:
  ///   - gradient: Whether each reward must be offered with a gradient.
  ///   - timeout: The time limit; nil: `network.connectTimeout`.
  /// - Throws: `ScoreClientError` that names the reward: at once if it is offered without the required gradient, and
  ///   after the time-out if it is not offered.
  package func requireRewards(_ names: [String], gradient: Bool = false, timeout: Duration? = nil) throws {
    let timeout = timeout ?? .seconds(network.connectTimeout)
    let end = now + timeout
    while true {
      try greet()
      for router in 0..<sockets.count { _ = try sockets.send(router, Message.rewardsQuery(RewardsQuery()).encode()) }
      _ = try Poller().wait(for: sockets.readable, timeout: .milliseconds(200))
      _ = try receive()
      let offered = offers.values.flatMap { $0 }
      if gradient { try requireGradient(names, offered) }
      let absent = names.filter { name in !offered.contains { $0.name == name } }
      if absent.isEmpty { return }
      if now >= end || stop?.isSet == true {
        let found = offers.isEmpty
          ? "no router answers at \(network.routers.joined(separator: " or "))"
          : "offered are " + (offered.isEmpty ? "none" : Set(offered.map(\.name)).sorted().joined(separator: ", "))
        throw ScoreClientError(
          "\(self.name): no reward server offers \(absent.joined(separator: ", ")) after \(timeout.seconds) s; "
            + "\(found). Start the reward servers with the configuration of the run, or correct reward.weights or "
            + "network.routers.")
      }
    }
  }

  private func requireGradient(_ names: [String], _ offered: [RewardVersion]) throws {
    for name in names {
      let versions = offered.filter { $0.name == name }
      guard !versions.isEmpty, versions.allSatisfy({ !$0.hasGradient }) else { continue }
      let able = Set(offered.filter(\.hasGradient).map(\.name)).sorted()
      throw ScoreClientError(
        "\(self.name): the reward \(name) is offered without a gradient. "
          + (able.isEmpty ? "No offered reward has one" : "Rewards with a gradient: \(able.joined(separator: ", "))")
          + ". Change reward.weights, or choose a method that needs no gradients.")
    }
  }

  /// Requests the scores of images and waits for them.
  ///
  /// - Parameters:
  ///   - images: `.pixels` requests gradients too.
  ///   - prompts: One per image.
  ///   - rewards: Names of rewards.
  ///   - positions: The positions of the images in their group, which are then sent in one request; empty otherwise.
  /// - Returns: One result per reward, in the order of `rewards`. A result contains the reason for missing scores.
  /// - Throws: `TransportError`; `ScoreClientError` if a router refuses this client, or if the images do not fit into a
  ///   message; `MessageError` if a router sends an invalid message.
  package func scores(
    of images: ScoredImages, prompts: [String], rewards: [String], positions: [GroupPosition] = []
  ) throws -> [ScoreResult] {
    check(prompts.count == images.count, "scores: \(prompts.count) prompts for \(images.count) images")
    var left = try parts(of: images, together: !positions.isEmpty)[...]
    var replies: [Int: ScoreReply] = [:]
    var asked: [Int: ScoreRequest] = [:]
    while replies.count < asked.count || !left.isEmpty {
      var effects: [ScoreExchange.Effect] = []
      while exchange.count < Self.requestsInFlight, let range = left.popFirst() {
        let request = ScoreRequest(
          id: 0, rewards: rewards, prompts: Array(prompts[range]), images: images.part(range), deadline: 0,
          positions: positions)
        asked[range.lowerBound] = request
        effects += exchange.submit(request, number: range.lowerBound, now: now)
      }
      effects += exchange.tick(now: now)
      try carryOut(effects, &replies)
      if replies.count == asked.count { continue }
      if stop?.isSet == true {
        for (number, request) in asked where replies[number] == nil { replies[number] = request.missing("stopped") }
        for range in left { replies[range.lowerBound] = missing(range, rewards) }
        break
      }
      try greet()
      _ = try Poller().wait(for: sockets.readable, timeout: .milliseconds(50))
      try carryOut(receive(), &replies)
    }
    // The answers to abandoned requests must not be taken for those of a later call.
    if exchange.count > 0 { exchange.forgetAll() }
    return joined(replies.sorted { $0.key < $1.key }.map(\.value), rewards)
  }

  private func missing(_ range: Range<Int>, _ rewards: [String]) -> ScoreReply {
    let values = [Float?](repeating: nil, count: range.count)
    return ScoreReply(
      id: 0, results: rewards.map { ScoreResult(reward: $0, version: "", values: values, error: "stopped") })
  }

  /// Splits the images into requests of at most `imagesPerRequest` that fit into a message.
  private func parts(of images: ScoredImages, together: Bool) throws -> [Range<Int>] {
    let elements = images.height * images.width * 3
    let bytes: Int
    switch images {
    case .bytes: bytes = elements
    case .pixels: bytes = elements * MemoryLayout<Float>.size
    }
    // A mebibyte is more than the prompts and names take.
    let fitting = (network.maximumMessageBytes - (1 << 20)) / max(1, bytes)
    let size = together ? images.count : min(imagesPerRequest, fitting)
    guard size > 0, size <= fitting else {
      throw ScoreClientError(
        "\(self.name): \(max(1, size)) images of \(images.height) x \(images.width) have \(max(1, size) * bytes) "
          + "bytes and do not fit into a message of \(network.maximumMessageBytes) bytes. Raise "
          + "network.maximumMessageBytes for all roles.")
    }
    return (0..<images.count).chunks(of: size)
  }

  private func carryOut(_ effects: [ScoreExchange.Effect], _ replies: inout [Int: ScoreReply]) throws {
    for effect in effects {
      switch effect {
      case .ask(let router, let request):
        if try sockets.send(router, Message.scoreRequest(request).withEncoding(Frame.init)) != .sent {
          exchange.notSent(request.id, now: now)
        }
      case .scored(let number, let reply): replies[number] = reply
      }
    }
  }

  private func receive() throws -> [ScoreExchange.Effect] {
    var effects: [ScoreExchange.Effect] = []
    for router in 0..<sockets.count {
      while let frame = try sockets.receive(router) {
        exchange.heard(router: router, now: now)
        switch try frame.withUnsafeBytes({ try Message(decoding: $0, from: sockets.endpoints[router]) }) {
        case .scoreReply(let reply): effects += exchange.reply(reply, router: router, now: now)
        case .rewardsOffered(let offered): offers[router] = offered.rewards
        case .refusal(let refusal):
          throw ScoreClientError("\(sockets.endpoints[router]): the router refused \(self.name): \(refusal.reason)")
        default: break
        }
      }
    }
    return effects
  }

  /// A hello also serves as the heartbeat for the routers, which answer it.
  private func greet() throws {
    guard now >= nextHello else { return }
    nextHello = now + .seconds(network.heartbeatInterval)
    let bytes = Message.hello(Hello(role: .learner, name: name)).encode()
    for router in 0..<sockets.count { _ = try sockets.send(router, bytes) }
  }

  private func joined(_ replies: [ScoreReply], _ rewards: [String]) -> [ScoreResult] {
    rewards.map { reward in
      let parts = replies.map { reply in reply.results.first { $0.reward == reward }! }
      let errors = parts.map(\.error).filter { !$0.isEmpty }
      var gradient: Tensor?
      if let shape = parts.compactMap({ $0.gradient?.shape }).first {
        // A part without any score has no gradient: it is 0, like that of every missing score.
        gradient = Tensor.concatenated(
          parts.map { $0.gradient ?? Tensor.zeros([$0.values.count] + shape.dropFirst()) }, axis: 0)
      }
      return ScoreResult(
        reward: reward, version: parts.map(\.version).first { !$0.isEmpty } ?? "", values: parts.flatMap(\.values),
        error: Array(Set(errors)).sorted().joined(separator: "; "), gradient: gradient)
    }
  }
}

extension ScoredImages {
  fileprivate func part(_ range: Range<Int>) -> ScoredImages {
    switch self {
    case .bytes(let images):
      let size = images.height * images.width * 3
      return .bytes(
        ImageBatch(
          count: range.count, height: images.height, width: images.width,
          pixels: Array(images.pixels[range.lowerBound * size..<range.upperBound * size])))
    case .pixels(let pixels): return .pixels(pixels.slice(axis: 0, range))
    }
  }
}
