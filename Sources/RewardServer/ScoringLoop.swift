// The network side of a reward server: a socket a router, offers at regular times, answers as they come.

internal import Configuration
internal import Logging
internal import Messages
internal import Rewards
internal import Threads
internal import Transport

/// The network side of a server: a socket a router.
struct ScoringLoop {
  private let options: ScoringOptions
  private let network: NetworkSettings
  private let rewards: [RewardVersion]
  private let worker: ScoringWorker
  private let logger: Logger
  private var unsent: [ScoringWorker.Answer] = []
  private var open = 0
  private var watch: PeerWatch

  init(options: ScoringOptions, rewards: [RewardVersion], worker: ScoringWorker, logger: Logger) {
    self.options = options
    network = options.network
    self.rewards = rewards
    self.worker = worker
    self.logger = logger
    watch = PeerWatch(
      who: "reward server \(options.name)", peers: network.routerBackends, what: "a router",
      hint: "Start `stepwise-reward-server route` with the same configuration, or correct network.routerBackends.",
      timeout: .seconds(network.connectTimeout))
  }

  mutating func run(_ context: Context, waker: Waker, stop: StopFlag) throws {
    let sockets = try DealerSet(context, network.routerBackends, to: .router, options: network.socketOptions)
    let poller = Poller(waker: waker)
    let interval = Duration.seconds(network.heartbeatInterval)
    var nextBeat = ContinuousClock.now
    logger.info(
      """
      reward server \(options.name): \(rewards.map(\.name).joined(separator: ", ")) for \
      \(network.routerBackends.joined(separator: ", "))
      """)
    while !stop.isSet {
      if ContinuousClock.now >= nextBeat {
        nextBeat = .now + interval
        try offer(sockets)
      }
      let pause = max(.zero, min(nextBeat - .now, unsent.isEmpty ? interval : .milliseconds(10)))
      _ = try poller.wait(for: sockets.readable, timeout: pause)
      for router in 0..<sockets.count {
        while let frame = try sockets.receive(router) { try take(frame, router) }
      }
      try answer(sockets)
      if let warning = try watch.check(now: .now) { logger.warning("\(warning)") }
    }
    try finish(sockets, poller)
  }

  private func offer(_ sockets: DealerSet) throws {
    if let busy = worker.busyFor, busy > options.patience {
      logger.error("reward server \(options.name): on one request for \(Int(busy.seconds)) s; silent until it ends")
      return
    }
    let ready = Message.serverReady(
      ServerReady(
        name: options.name, rewards: rewards, batchSize: options.reward.batchSize,
        credits: options.reward.requestsAtOnce)
    ).encode()
    // A router that is not there yet takes nothing; the next offer comes in a moment.
    for router in 0..<sockets.count { _ = try sockets.send(router, ready) }
  }

  private mutating func take(_ frame: Frame, _ router: Int) throws {
    let name = network.routerBackends[router]
    watch.heard(router, now: .now)
    let message: Message
    do { message = try frame.withUnsafeBytes { try Message(decoding: $0, from: name) } } catch {
      logger.warning("reward server \(options.name): ignored a broken message: \(error)")
      return
    }
    switch message {
    case .scoreRequest(let request):
      open += 1
      // A router that lost count, as after a silence, is borne with; one without measure is not.
      guard open <= 4 * options.reward.requestsAtOnce * network.routerBackends.count else {
        let reason = "expected at most \(options.reward.requestsAtOnce) requests at once, found \(open)"
        unsent.append(ScoringWorker.Answer(router: router, reply: request.missing(reason)))
        return
      }
      worker.jobs.put(
        ScoringWorker.Job(router: router, request: request, deadline: .now + .milliseconds(request.deadline)))
    case .heartbeat: break
    case .refusal(let refusal):
      throw ScorerError("\(name) refused reward server \(options.name): \(refusal.reason)")
    default: logger.warning("reward server \(options.name): \(name) sent \(message.name), which is ignored")
    }
  }

  private mutating func answer(_ sockets: DealerSet) throws {
    unsent += worker.answers.takeAll()
    var left: [ScoringWorker.Answer] = []
    for answer in unsent {
      if try sockets.send(answer.router, Message.scoreReply(answer.reply).withEncoding(Frame.init)) == .sent {
        open -= 1
      } else {
        left.append(answer)
      }
    }
    unsent = left
  }

  /// Answers what was begun, for as long as a request may take, and says goodbye.
  private mutating func finish(_ sockets: DealerSet, _ poller: Poller) throws {
    let end = ContinuousClock.now + min(options.patience, .seconds(10))
    while open > 0, ContinuousClock.now < end {
      _ = try poller.wait(for: [], timeout: .milliseconds(unsent.isEmpty ? 1000 : 10))
      try answer(sockets)
    }
    for router in 0..<sockets.count { _ = try sockets.send(router, Message.goodbye(Goodbye(reason: "stopped")).encode()) }
  }
}
