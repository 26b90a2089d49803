// The learner's network thread: it owns the sockets, and does what the machine says. Deliveries go to the replay's thread
// and are acknowledged when that says they are on disk; as many bytes wait for it as `intakeBytes` allows, then the
// actors do.

internal import Foundation
internal import Logging
internal import Messages
internal import Replay
internal import Roles
internal import Threads
internal import Training
internal import Transport

/// What the training thread asks of the network thread.
enum LearnerCommand: Sendable {
  case groups(epoch: Int)
  case stored([Int])
  case publish(version: Int, bytes: [UInt8], tensorCount: Int)
  /// Tell all actors, and end.
  case finish(String)
}

/// One thread's loop; made and run on that thread.
struct LearnerLoop {
  private let settings: LearnerSettings
  private let logger: Logger
  private let commands: Mailbox<LearnerCommand>
  private let answers: Mailbox<[TrajectoryGroup]>
  private let storedGroups: Mailbox<[TrajectoryGroup]>
  private let use: SharedReplayUse
  private let replay: ReplayWorker
  private let events: Mailbox<ReplayEvent>
  private let start = ContinuousClock.now
  private var machine: LearnerStateMachine
  /// Bytes of groups that the replay was given and has not told of.
  private var unsettledBytes = 0
  /// What the groups are for that the replay was asked for, in the order of asking.
  private var readings: [Mailbox<[TrajectoryGroup]>] = []
  /// The epoch that training waits for.
  private var wanted: Int?
  private var isFinished = false
  private var isFull = false
  private var size: ReplaySize
  private var peers = RoleGuard(Self.actors)

  /// Whose keys have business here: nobody else may insert trajectories or read policies.
  static let actors: Set<Role> = [.actor]

  /// Bytes of groups that wait for the replay before no more are received.
  private static let intakeBytes = 16 << 20
  /// Messages after which the replay's news and training's wishes are looked at.
  private static let receivedAtOnce = 64

  /// Opens the replay.
  ///
  /// - Throws: `ReplayError`, or `TrainingError` when the replay holds groups of other settings.
  init(
    _ settings: LearnerSettings, commands: Mailbox<LearnerCommand>, answers: Mailbox<[TrajectoryGroup]>,
    storedGroups: Mailbox<[TrajectoryGroup]>, use: SharedReplayUse, waker: Waker,
    isAcceptable: @escaping @Sendable (TrajectoryGroup) -> String?, logger: Logger
  ) throws {
    self.settings = settings
    self.commands = commands
    self.answers = answers
    self.storedGroups = storedGroups
    self.use = use
    self.logger = logger
    events = Mailbox(waker: waker)
    replay = try ReplayWorker(settings, events: events, logger: logger)
    let contents = replay.contents
    size = contents.size
    let limiter = RateLimiter(
      settings.rateLimits, inserts: contents.inserted, deletions: contents.dropped, samples: settings.groupsSampled)
    machine = LearnerStateMachine(
      settings, stored: contents.waiting, limiter: limiter, incarnations: contents.incarnations,
      isAcceptable: isAcceptable)
    if !contents.waiting.isEmpty {
      logger.info("replay: \(size.groups) groups, \(contents.waiting.count) of them not trained on yet")
    }
  }

  private var now: Duration { ContinuousClock.now - start }

  /// Runs until the run is finished, or a stop. What was received by then is stored and acknowledged.
  ///
  /// - Throws: `ReplayError` when the disk fails; nothing is acknowledged then that is not on it. `TransportError`.
  mutating func run(
    _ router: borrowing Socket, _ notices: borrowing Socket, waker: Waker, stop: StopFlag
  ) throws {
    let poller = Poller(waker: waker)
    var nextTick = Duration.zero
    while !isFinished, !stop.isSet {
      // An event or a command rings the bell.
      _ = try poller.wait(for: isHeldBack ? [] : [router.readable], timeout: .milliseconds(500))
      try takeEvents(router)
      for command in commands.takeAll() { try carryOut(command, router, notices) }
      try receive(router)
      // It looks at every actor and all open work: not after each message. Nobody counts as silent who is not heard.
      if now >= nextTick, !isHeldBack {
        nextTick = now + .milliseconds(20)
        try carryOut(machine.tick(now: now), router)
      }
      try answer()
      observe()
    }
    try replay.finish()
    try takeEvents(router)
  }

  /// Waits until the replay's thread has ended, after an error too, so that its folder is free.
  ///
  /// - Throws: what ended it.
  func end() throws { try replay.finish() }

  /// More waits for the disk than is good.
  private var isHeldBack: Bool { unsettledBytes >= Self.intakeBytes }

  private mutating func takeEvents(_ router: borrowing Socket) throws {
    var stored: [LearnerStateMachine.Peer: [Int]] = [:]
    for event in events.takeAll() {
      for (peer, number) in event.stored { stored[peer, default: []].append(number) }
      unsettledBytes -= event.settledBytes
      machine.dropped(event.dropped)
      (isFull, size) = (event.isFull, event.size)
      if let groups = event.read {
        try sampled(groups.count, router)
        readings.removeFirst().put(groups)
      }
    }
    for (peer, numbers) in stored { try carryOut(machine.stored(numbers.sorted(), from: peer), router) }
    // It ends before it was asked to only when the disk fails.
    if events.hasClosed { try replay.finish() }
  }

  private mutating func receive(_ router: borrowing Socket) throws {
    var count = 0
    while !isHeldBack, count < Self.receivedAtOnce, let received = try router.receiveFromPeer() {
      count += 1
      guard received.parts.count == 2 else {
        logger.warning("ignored a message of \(received.parts.count) frames, expected 2")
        continue
      }
      let (peer, frame) = (received.parts[0].bytes, received.parts[1])
      if let objection = peers.objection(to: received.sender) {
        if objection.isNews { logger.warning("refused a message: \(objection.reason)") }
        _ = try router.send([peer, Message.refusal(Refusal(reason: objection.reason)).encode()])
        continue
      }
      do {
        let message = try frame.withUnsafeBytes { try Message(decoding: $0, from: Self.name(peer)) }
        try carryOut(machine.receive(message, frame: frame, from: peer, now: now), router)
      } catch let error as MessageError {
        try carryOut(machine.refuse(error, from: peer), router)
      }
    }
  }

  /// A routing identity as text.
  private static func name(_ peer: LearnerStateMachine.Peer) -> String {
    peer.first == 0 ? "actor \(peer.map { String($0, radix: 16) }.joined())" : String(decoding: peer, as: UTF8.self)
  }

  private mutating func carryOut(_ effects: [LearnerStateMachine.Effect], _ router: borrowing Socket) throws {
    for effect in effects {
      switch effect {
      case .note(let text): logger.info("\(text)")
      case .warn(let text): logger.warning("\(text)")
      case .send(let message, let peer):
        // Not taken: the actor is gone or slow. It asks again, and delivers again what it has no answer for.
        _ = try router.send(message.withEncoding(Frame.init), to: [peer])
      case .store(let group, let frame, let peer):
        unsettledBytes += frame.count
        let checksum = frame.withUnsafeBytes { ReplayStore.checksum($0) }
        replay.put(.insert(group, frame: frame, checksum: checksum, from: peer))
      }
    }
  }

  private mutating func carryOut(
    _ command: LearnerCommand, _ router: borrowing Socket, _ notices: borrowing Socket
  ) throws {
    switch command {
    case .groups(let epoch): wanted = epoch
    case .stored(let numbers):
      readings.append(storedGroups)
      replay.put(.read(numbers))
    case .publish(let version, let bytes, let tensorCount):
      let (notice, effects) = machine.publish(version: version, bytes: bytes, tensorCount: tensorCount, now: now)
      replay.put(.keep(epoch: max(0, version - settings.keptEpochs)))
      // Lost notices cost nothing: every assignment names its policy.
      _ = try notices.send([Message.policyNotice(notice).encode()])
      try carryOut(effects, router)
    case .finish(let reason):
      try carryOut(machine.finish(reason), router)
      isFinished = true
    }
  }

  /// Gives training the epoch that it waits for, when it is complete and the limiter allows it.
  ///
  /// - Throws: `TrainingError` when it can never come: a wait without an end is worse than an end.
  private mutating func answer() throws {
    guard let epoch = wanted else { return }
    let numbers = machine.plan.numbers(ofEpoch: epoch)
    guard machine.plan.isComplete(epoch), machine.limiter.sampleBlock(numbers.count) == nil else {
      if let reason = machine.standstill(epoch) { throw TrainingError("the run stands still: \(reason)") }
      return
    }
    wanted = nil
    readings.append(answers)
    replay.put(.read(Array(numbers)))
  }

  /// Counts what training takes, before it has it.
  private mutating func sampled(_ count: Int, _ router: borrowing Socket) throws {
    try carryOut(machine.sampled(count, now: now), router)
    use.withLock { $0.limiter = machine.limiter }
  }

  /// Tells what the replay does, and who waits for whom.
  private mutating func observe() {
    let insertBlock: ReplayUse.Block? =
      isFull ? .fullDisk : machine.limiter.insertBlock(pending: machine.plan.leasedCount).map { .limiter($0) }
    let sampleBlock = wanted.flatMap { epoch in
      machine.limiter.sampleBlock(machine.plan.numbers(ofEpoch: epoch).count).map { ReplayUse.Block.limiter($0) }
    }
    use.withLock { use in
      (use.groups, use.bytes) = (size.groups, size.bytes)
      (use.segments, use.cachedBytes) = (size.segments, size.cachedBytes)
      use.limiter = machine.limiter
      use.actors = machine.actorCount
      for change in use.block(insert: insertBlock, sample: sampleBlock, now: now) {
        logger.info("replay: \(change), \(machine.limiter.summary)")
      }
    }
  }
}
