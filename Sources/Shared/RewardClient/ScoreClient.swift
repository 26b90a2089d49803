// Scores, and their gradients with respect to pixels, from whatever reward servers are behind the routers, for a thread
// that waits for them: the learner's. Every call returns by its deadline, with each score or with the reason why it is
// missing.

internal import Engine
package import Messages
package import Settings
package import Threads
package import Transport

/// Asks routers for scores, and waits. Not Sendable: the thread that made it owns it.
package final class ScoreClient {
  /// Requests in flight at once; a router takes 64 of one client.
  private static let requestsInFlight = 32

  private let network: NetworkSettings
  private let name: String
  private let imagesPerRequest: Int
  private let sockets: DealerSet
  private let stop: StopFlag?
  private let start = ContinuousClock.now
  private var exchange: ScoreExchange
  private var nextBeat = Duration.zero
  private var beats = 0
  /// By router, what it last said to be offered.
  private var offers: [Int: [RewardVersion]] = [:]

  /// Connects to the routers; whether they are there shows in answers.
  ///
  /// - Parameters:
  ///   - name: names the client in errors.
  ///   - imagesPerRequest: a smaller value spreads a batch over more servers.
  ///   - stop: ends waits early; scores that have not arrived by then are missing.
  /// - Throws: `TransportError` when an endpoint is malformed.
  package init(
    _ context: Context, _ network: NetworkSettings, name: String, imagesPerRequest: Int = 8, stop: StopFlag? = nil
  ) throws {
    self.network = network
    self.name = name
    self.imagesPerRequest = imagesPerRequest
    self.stop = stop
    sockets = try DealerSet(context, network.routers, to: .router, options: network.socketOptions)
    exchange = ScoreExchange(
      routers: network.routers.count, silence: .seconds(network.silenceLimit),
      deadline: .seconds(network.scoreDeadline))
  }

  private var now: Duration { ContinuousClock.now - start }

  /// Waits until every reward is offered; a method that cannot do without gradients says so before it begins.
  ///
  /// - Parameters:
  ///   - gradient: each must be offered with a gradient.
  ///   - timeout: nil waits for `network.connectTimeout`.
  /// - Throws: `ScoringError` naming the reward: at once when it is offered without the gradient that is wanted, and
  ///   after the time-out when nobody offers it.
  package func requireRewards(_ names: [String], gradient: Bool = false, timeout: Duration? = nil) throws {
    let timeout = timeout ?? .seconds(network.connectTimeout)
    let end = now + timeout
    while true {
      for router in 0..<sockets.count { _ = try sockets.send(router, Message.rewardsQuery(RewardsQuery()).encode()) }
      _ = try Poller().wait(for: sockets.readable, timeout: .milliseconds(200))
      _ = try receive()
      let offered = offers.values.flatMap { $0 }
      if gradient { try requireGradient(names, offered) }
      let absent = names.filter { name in !offered.contains { $0.name == name } }
      if absent.isEmpty { return }
      if now >= end || stop?.isSet == true {
        let found = offers.isEmpty
          ? "no answer of a router at \(network.routers.joined(separator: " or "))"
          : offered.isEmpty ? "none at all" : Set(offered.map(\.name)).sorted().joined(separator: ", ")
        throw ScoringError(
          "\(self.name): expected reward servers that offer \(absent.joined(separator: ", ")), found \(found) after "
            + "\(timeout.seconds) s. Start them with the run's configuration, or correct "
            + "reward.weights or network.routers.")
      }
    }
  }

  private func requireGradient(_ names: [String], _ offered: [RewardVersion]) throws {
    for name in names {
      let versions = offered.filter { $0.name == name }
      guard !versions.isEmpty, versions.allSatisfy({ !$0.hasGradient }) else { continue }
      let able = Set(offered.filter(\.hasGradient).map(\.name)).sorted()
      throw ScoringError(
        "\(self.name): expected the reward \(name) with a gradient, found that its server has none. "
          + (able.isEmpty ? "No reward that is offered has one" : "These have one: \(able.joined(separator: ", "))")
          + "; change reward.weights, or take a method that needs none.")
    }
  }

  /// Scores images and waits for the answer.
  ///
  /// - Parameters:
  ///   - images: `.pixels` asks for gradients too.
  ///   - prompts: one an image.
  ///   - rewards: names.
  ///   - places: which clean states of one group the images show; they then stay together in one request.
  /// - Returns: a result a reward, in the order of `rewards`; what did not come is missing there, with the reason.
  /// - Throws: `TransportError`; `ScoringError` when a router refuses this client, or an image is too large to be sent;
  ///   `MessageError` when a router sends what is no message.
  package func scores(
    of images: ScoredImages, prompts: [String], rewards: [String], places: [GroupPlace] = []
  ) throws -> [ScoreResult] {
    check(prompts.count == images.count, "scores: \(prompts.count) prompts for \(images.count) images")
    var left = try parts(of: images, together: !places.isEmpty)[...]
    var replies: [Int: ScoreReply] = [:]
    var asked: [Int: ScoreRequest] = [:]
    while replies.count < asked.count || !left.isEmpty {
      var effects: [ScoreExchange.Effect] = []
      while exchange.count < Self.requestsInFlight, let range = left.popFirst() {
        let request = ScoreRequest(
          id: 0, rewards: rewards, prompts: Array(prompts[range]), images: images.part(range), deadline: 0,
          places: places)
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
      try beat()
      _ = try Poller().wait(for: sockets.readable, timeout: .milliseconds(50))
      try carryOut(receive(), &replies)
    }
    // What was given up on must not answer a later call.
    if exchange.count > 0 { exchange.forgetAll() }
    return joined(replies.sorted { $0.key < $1.key }.map(\.value), rewards)
  }

  private func missing(_ range: Range<Int>, _ rewards: [String]) -> ScoreReply {
    let values = [Float?](repeating: nil, count: range.count)
    return ScoreReply(
      id: 0, results: rewards.map { ScoreResult(reward: $0, version: "", values: values, error: "stopped") })
  }

  /// As many images to a request as are wanted, and as fit into a message.
  private func parts(of images: ScoredImages, together: Bool) throws -> [Range<Int>] {
    let elements = images.height * images.width * 3
    let bytes: Int
    switch images {
    case .bytes: bytes = elements
    case .pixels: bytes = elements * MemoryLayout<Float>.size
    }
    // Beside the images there are prompts and names; a mebibyte is more than they take.
    let fitting = (network.maximumMessageBytes - (1 << 20)) / max(1, bytes)
    let size = together ? images.count : min(imagesPerRequest, fitting)
    guard size > 0, size <= fitting else {
      throw ScoringError(
        "\(self.name): expected \(max(1, size)) images of \(images.height) x \(images.width) to fit into a message of "
          + "\(network.maximumMessageBytes) bytes, found \(max(1, size) * bytes). Raise network.maximumMessageBytes "
          + "for all roles.")
    }
    return stride(from: 0, to: images.count, by: size).map { $0..<min($0 + size, images.count) }
  }

  private func carryOut(_ effects: [ScoreExchange.Effect], _ replies: inout [Int: ScoreReply]) throws {
    for effect in effects {
      switch effect {
      case .ask(let router, let request):
        if try sockets.send(router, Message.scoreRequest(request).withEncoding(Frame.init)) != .sent {
          exchange.notTaken(request.id, now: now)
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
          throw ScoringError("\(sockets.endpoints[router]): the router refused \(self.name): \(refusal.reason)")
        default: break
        }
      }
    }
    return effects
  }

  private func beat() throws {
    guard now >= nextBeat else { return }
    nextBeat = now + .seconds(network.heartbeatInterval)
    beats += 1
    let bytes = Message.heartbeat(Heartbeat(sequence: beats, inFlight: exchange.count)).encode()
    for router in 0..<sockets.count { _ = try sockets.send(router, bytes) }
  }

  /// One result a reward over all parts.
  private func joined(_ replies: [ScoreReply], _ rewards: [String]) -> [ScoreResult] {
    rewards.map { reward in
      let parts = replies.map { reply in reply.results.first { $0.reward == reward }! }
      let errors = parts.map(\.error).filter { !$0.isEmpty }
      var gradient: Tensor?
      if let shape = parts.compactMap({ $0.gradient?.shape }).first {
        // A part that is missing altogether has no gradient: 0, as for every missing score.
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
  /// Some of the images.
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
