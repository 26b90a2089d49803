// The network thread of a reward server: one socket per router, regular offers, and answers as soon as they are ready.

internal import Basics
internal import Logging
internal import Messages
internal import Rewards
internal import Roles
internal import Settings
internal import Threads
internal import Transport

struct ScoringLoop {
  private let options: ScoringOptions
  private let rewards: [RewardVersion]
  private let worker: ScoringWorker
  private let logger: Logger
  private var unsent: [ScoringWorker.Answer] = []
  private var open = 0
  private var watch: PeerWatch

  init(options: ScoringOptions, rewards: [RewardVersion], worker: ScoringWorker, logger: Logger) {
    (self.options, self.rewards, self.worker, self.logger) = (options, rewards, worker, logger)
    watch = PeerWatch(
      who: "reward server \(options.name)", peers: options.network.routerBackends, what: "a router",
      hint: "Start `stepwise-reward-server route` with the same configuration, or correct network.routerBackends.",
      timeout: .seconds(options.network.connectTimeout))
  }

  mutating func run(_ context: Context, waker: Waker, stop: StopFlag) throws {
    let network = options.network
    let sockets = try DealerSet(context, network.routerBackends, to: .router, options: network.socketOptions)
    let poller = Poller(waker: waker)
    let interval = Duration.seconds(options.network.heartbeatInterval)
    var nextOffer = ContinuousClock.now
    logger.info(
      """
      reward server \(options.name): \(rewards.map(\.name).joined(separator: ", ")) for \
      \(options.network.routerBackends.joined(separator: ", "))
      """)
    while !stop.isSet {
      if ContinuousClock.now >= nextOffer {
        nextOffer = .now + interval
        try offer(sockets)
      }
      let pause = max(.zero, min(nextOffer - .now, unsent.isEmpty ? interval : .milliseconds(10)))
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
    if let busy = worker.busyFor, busy > options.stuckLimit {
      logger.error(
        """
        reward server \(options.name): has been busy with one request for \(Int(busy.seconds)) s; sends no heartbeats \
        until it is done
        """)
      return
    }
    let hello = Message.hello(Hello(role: .rewardServer, name: options.name)).encode()
    let ready = Message.serverReady(
      ServerReady(name: options.name, rewards: rewards, credits: options.reward.requestsAtOnce)).encode()
    // A router that is not connected yet receives the next offer.
    for router in 0..<sockets.count where try sockets.send(router, hello) == .sent {
      _ = try sockets.send(router, ready)
    }
  }

  private mutating func take(_ frame: Frame, _ router: Int) throws {
    let name = options.network.routerBackends[router]
    watch.heard(router, now: .now)
    let message: Message
    do { message = try frame.withUnsafeBytes { try Message(decoding: $0, from: name) } } catch {
      logger.warning("reward server \(options.name): ignored an invalid message: \(error)")
      return
    }
    switch message {
    case .scoreRequest(let request):
      open += 1
      // A router may lose count of the credits, for example after a silence. Small excesses are tolerated, larger ones
      // are answered without scores.
      guard open <= 4 * options.reward.requestsAtOnce * options.network.routerBackends.count else {
        let reason = "expected at most \(options.reward.requestsAtOnce) requests at a time, found \(open)"
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

  /// Answers the open requests, within a time limit, and says goodbye.
  private mutating func finish(_ sockets: DealerSet, _ poller: Poller) throws {
    let end = ContinuousClock.now + min(options.stuckLimit, .seconds(10))
    while open > 0, ContinuousClock.now < end {
      _ = try poller.wait(for: [], timeout: .milliseconds(unsent.isEmpty ? 1000 : 10))
      try answer(sockets)
    }
    let goodbye = Message.goodbye(Goodbye(reason: "stopped")).encode()
    for router in 0..<sockets.count { _ = try sockets.send(router, goodbye) }
  }
}
