// The network thread of an actor. It polls the learner, its announcements, the routers and the compute thread, and
// drives two pure values: ActorStateMachine and ScoreExchange.

internal import Basics
internal import Configuration
internal import Logging
internal import Messages
internal import RewardClient
internal import Roles
internal import Threads
internal import Transport

struct ActorLoop {
  private let options: ActorOptions
  private let network: NetworkSettings
  private let rewards: RewardSettings
  private let rewardSum: RewardSum
  private let logger: Logger
  private let compute: ActorWorker
  private let acknowledged: @Sendable ([Int]) -> Void
  private let start = ContinuousClock.now
  private var machine: ActorStateMachine
  private var exchange: ScoreExchange
  private var watch: PeerWatch
  private var drafts: [Int: DraftGroup] = [:]
  /// The groups that are not yet in the queue of the learner's connection, each once. The state machine holds them too,
  /// and bounds their size.
  private var outbox: [TrajectoryGroup] = []
  private var nextFrame: Frame?
  private var nextHello = Duration.zero
  private var delivered = 0
  private var nextReport = Duration.seconds(10)

  init(
    _ options: ActorOptions, modelHash: String, compute: ActorWorker,
    acknowledged: @escaping @Sendable ([Int]) -> Void, logger: Logger
  ) {
    self.options = options
    network = options.network
    rewards = options.configuration.reward
    rewardSum = RewardSum(rewards.weights)
    (self.acknowledged, self.logger, self.compute) = (acknowledged, logger, compute)
    machine = ActorStateMachine(options, modelHash: modelHash)
    exchange = ScoreExchange(
      routers: network.routers.count, silenceLimit: .seconds(network.silenceLimit),
      deadline: .seconds(network.scoreDeadline))
    watch = PeerWatch(
      who: "actor \(options.name)", peers: [network.learner], what: "the learner",
      hint: "Start `stepwise-learner` with the same configuration, or correct network.learner or --learner.",
      timeout: .seconds(network.connectTimeout), silenceLimit: .seconds(network.silenceLimit),
      patience: .seconds(600))
  }

  private var now: Duration { ContinuousClock.now - start }

  /// Runs until the run is finished or `stop` is set.
  ///
  /// - Returns: The reason of the end.
  /// - Throws: `ActorError`, `ActorStuck`, `AbsentPeer`, `TransportError`, or the error of the compute thread.
  mutating func run(_ context: Context, waker: Waker, stop: StopFlag) throws -> String {
    // With an own identity, a new connection replaces a broken one.
    var socketOptions = network.socketOptions
    socketOptions.routingIdentity = "\(options.name)-\(options.incarnation)"
    let learner = try DealerSet(context, [network.learner], to: .learner, options: socketOptions)
    let routers = try DealerSet(context, network.routers, to: .router, options: network.socketOptions)
    let notices = try Socket(context, .subscriber, options: network.socketOptions)
    try notices.subscribe()
    try notices.connect(network.notices, to: .learner)
    let poller = Poller(waker: waker)
    var stopAt: Duration?
    while true {
      let pause: Duration = outbox.isEmpty ? .milliseconds(200) : .milliseconds(20)
      _ = try poller.wait(for: learner.readable + [notices.readable] + routers.readable, timeout: pause)
      try receive(learner, notices, routers)
      try takeOutcomes(learner, routers)
      try carryOut(machine.tick(now: now), learner)
      try carryOut(exchange.tick(now: now), learner, routers)
      try checkPeers()
      try greet(routers)
      if case .finished(let reason) = machine.phase {
        // The learner keeps its socket open until then.
        try sayGoodbye(learner, "the run has finished")
        return "the run has finished: \(reason)"
      }
      if stop.isSet {
        if stopAt == nil {
          stopAt = now + .seconds(10)
          machine.stop()
        }
        // Finished groups are delivered first, within the time limit. The learner assigns the others again.
        if machine.inProgress == 0 || now >= stopAt! {
          try sayGoodbye(learner, "stopped")
          return "stopped with \(machine.undelivered) groups without an acknowledgement"
        }
      }
    }
  }

  private mutating func receive(_ learner: DealerSet, _ notices: borrowing Socket, _ routers: DealerSet) throws {
    while let frame = try learner.receive(0) {
      watch.heard(0, now: .now)
      if let message = decode(frame, network.learner) {
        if case .acknowledgement(let acknowledgement) = message { acknowledged(acknowledgement.numbers) }
        try carryOut(machine.receive(message, now: now), learner)
      }
    }
    while let frame = try notices.receiveFromPeer()?.parts.last {
      if let message = decode(frame, network.notices), case .policyNotice = message {
        try carryOut(machine.receive(message, now: now), learner)
      }
    }
    for router in 0..<routers.count {
      while let frame = try routers.receive(router) {
        exchange.heard(router: router, now: now)
        guard let message = decode(frame, network.routers[router]) else { continue }
        switch message {
        case .scoreReply(let reply):
          try carryOut(exchange.reply(reply, router: router, now: now), learner, routers)
        case .refusal(let refusal):
          throw ActorError("\(network.routers[router]): the router refused actor \(options.name): \(refusal.reason)")
        default: break
        }
      }
    }
  }

  private func decode(_ frame: Frame, _ peer: String) -> Message? {
    do { return try frame.withUnsafeBytes { try Message(decoding: $0, from: peer) } } catch {
      logger.warning("actor \(options.name): ignored an invalid message: \(error)")
      return nil
    }
  }

  private mutating func takeOutcomes(_ learner: DealerSet, _ routers: DealerSet) throws {
    for outcome in compute.finished() {
      switch outcome {
      case .ready: break
      case .bound(let version): logger.info("actor \(options.name): policy \(version) is bound")
      case .failed(let error):
        try sayGoodbye(learner, "failed")
        throw error
      case .sampled(let groups):
        machine.sampled()
        for draft in groups {
          drafts[draft.group.number] = draft
          let request = draft.request(rewards: rewardSum.names + rewards.shadow.sorted())
          try carryOut(exchange.submit(request, number: draft.group.number, now: now), learner, routers)
        }
      }
    }
  }

  private mutating func carryOut(_ effects: [ActorStateMachine.Effect], _ learner: DealerSet) throws {
    for effect in effects {
      switch effect {
      case .note(let text): logger.info("actor \(options.name): \(text)")
      case .bind(let bytes, let version, let tensorCount):
        compute.begin(.bind(bytes: bytes, version: version, tensorCount: tensorCount))
      case .sample(let assignments):
        if let run = machine.run { compute.begin(.sample(assignments, run)) }
      case .send(.group(let group)):
        if !outbox.contains(where: { $0.number == group.number }) { outbox.append(group) }
      case .send(let message):
        // If the message is not sent, the learner is not connected. The state machine repeats it later.
        _ = try learner.send(0, message.encode())
      }
    }
    try deliver(learner)
  }

  /// Sends groups until the queue of the learner's connection is full. Only one group is encoded at a time, so that a
  /// long absence of the learner takes no memory for encodings.
  private mutating func deliver(_ learner: DealerSet) throws {
    while let first = outbox.first {
      // Unless it was acknowledged or refused in the meantime.
      if machine.awaits(first.number) {
        let frame = nextFrame ?? Message.group(first).withEncoding(Frame.init)
        nextFrame = frame
        guard try learner.send(0, frame) == .sent else { return }
      }
      nextFrame = nil
      outbox.removeFirst()
    }
  }

  private mutating func carryOut(_ effects: [ScoreExchange.Effect], _ learner: DealerSet, _ routers: DealerSet) throws {
    for effect in effects {
      switch effect {
      case .ask(let router, let request):
        if try routers.send(router, Message.scoreRequest(request).withEncoding(Frame.init)) != .sent {
          exchange.notSent(request.id, now: now)
        }
      case .scored(let number, let reply):
        guard let draft = drafts.removeValue(forKey: number) else { continue }
        for result in reply.results where !result.error.isEmpty {
          logger.warning("actor \(options.name): group \(number): \(result.reward) is missing: \(result.error)")
        }
        delivered += 1
        try carryOut(machine.deliver(draft.scored(by: reply, sum: rewardSum), now: now), learner)
      }
    }
  }

  private mutating func checkPeers() throws {
    if let warning = try watch.check(now: .now) { logger.warning("\(warning)") }
    let limit = options.configuration.run.stuckLimit
    if let busy = compute.busyFor, busy > .seconds(limit) {
      throw ActorStuck(
        "actor \(options.name): the sampler has been busy with one batch for \(Int(busy.seconds)) s, longer than "
          + "\(Int(limit)) s. The actor ends, to be restarted. Raise run.stuckLimit if batches take that long.")
    }
    if now >= nextReport {
      nextReport = now + .seconds(10)
      logger.info(
        """
        actor \(options.name): \(delivered) groups finished, \(machine.unfinished) in progress, \
        \(machine.undelivered) without an acknowledgement
        """)
    }
  }

  /// A hello also serves as the heartbeat for the routers, which answer it.
  private mutating func greet(_ routers: DealerSet) throws {
    guard now >= nextHello else { return }
    nextHello = now + .seconds(network.heartbeatInterval)
    let bytes = Message.hello(machine.hello).encode()
    for router in 0..<routers.count { _ = try routers.send(router, bytes) }
  }

  private func sayGoodbye(_ learner: DealerSet, _ reason: String) throws {
    _ = try learner.send(0, Message.goodbye(Goodbye(reason: reason)).encode())
  }
}
