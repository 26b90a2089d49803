// The learner's network thread: it owns the sockets and the replay, and does what the desk says. Deliveries are
// committed together: several groups share one wait for the disk, and are acknowledged after it.

internal import Foundation
internal import Logging
internal import Messages
internal import Replay
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
  private let store: ReplayStore
  private let start = ContinuousClock.now
  private var desk: LearnerDesk
  /// Appended, not yet on disk.
  private var uncommitted: [(peer: LearnerDesk.Peer, number: Int)] = []
  /// The epoch that training waits for.
  private var wanted: Int?
  private var isFinished = false
  private var isFull = false
  private var peers = RoleGuard(Self.actors)

  /// Whose keys have business here: nobody else may insert trajectories or read policies.
  static let actors: Set<KeyRole> = [.actor]

  /// Groups and bytes that share one wait for the disk.
  private static let commitGroups = 64
  private static let commitBytes = 4 << 20

  /// Opens the replay.
  ///
  /// - Throws: `ReplayError`, or `TrainingError` when the replay holds groups of other settings.
  init(
    _ settings: LearnerSettings, commands: Mailbox<LearnerCommand>, answers: Mailbox<[TrajectoryGroup]>,
    storedGroups: Mailbox<[TrajectoryGroup]>, use: SharedReplayUse,
    isAcceptable: @escaping @Sendable (TrajectoryGroup) -> String?, logger: Logger
  ) throws {
    self.settings = settings
    self.commands = commands
    self.answers = answers
    self.storedGroups = storedGroups
    self.use = use
    self.logger = logger
    store = try ReplayStore(
      folder: settings.replayFolder,
      origin: ReplayOrigin(
        runID: settings.runID, modelHash: settings.modelHash, configuration: settings.configurationText),
      settings: settings.replay)
    for damage in store.damage { logger.error("replay: \(damage)") }
    let stored = try Self.storedNumbers(store, settings)
    let limiter = RateLimiter(
      settings.rateLimits, inserts: store.count + store.droppedCount, deletions: store.droppedCount,
      samples: settings.groupsSampled)
    let incarnations = Dictionary(store.entries.map { ($0.actor, $0.incarnation) }, uniquingKeysWith: { max($0, $1) })
    desk = LearnerDesk(
      settings, stored: stored, limiter: limiter, incarnations: incarnations, isAcceptable: isAcceptable)
    if !stored.isEmpty { logger.info("replay: \(store.count) groups, \(stored.count) of them not trained on yet") }
  }

  /// Numbers of stored groups that are still to be trained on.
  private static func storedNumbers(_ store: ReplayStore, _ settings: LearnerSettings) throws -> Set<Int> {
    let plan = WorkPlan(settings.work)
    let waiting = store.entries.filter { $0.epoch >= settings.firstEpoch }
    for entry in waiting {
      guard plan.numbers(ofEpoch: entry.epoch).contains(entry.number), entry.prompt == plan.prompt(of: entry.number),
        entry.trajectoryCount == settings.work.groupSize
      else {
        throw TrainingError(
          "\(settings.replayFolder.path): group \(entry.number) was made with other prompts, group size, seed or "
            + "groups per epoch; go on with the run's own configuration, or choose another run folder")
      }
    }
    return Set(waiting.map(\.number))
  }

  private var now: Duration { ContinuousClock.now - start }

  /// Runs until the run is finished, or a stop.
  ///
  /// - Throws: `ReplayError` when the disk fails; nothing is acknowledged then that is not on it. `TransportError`.
  mutating func run(
    _ router: borrowing Socket, _ notices: borrowing Socket, bell: WakeUp, stop: StopFlag
  ) throws {
    let poller = Poller(wakeUp: bell)
    var nextTick = Duration.zero
    while !isFinished, !stop.isSet {
      _ = try poller.wait(for: [router.readable], timeout: .milliseconds(500))
      for command in commands.takeAll() { try carryOut(command, router, notices) }
      try receive(router)
      try commit(router)
      // It looks at every actor and all open work: not after each message.
      if now >= nextTick {
        nextTick = now + .milliseconds(20)
        try carryOut(desk.tick(now: now), router)
      }
      try answer(router)
      observe()
    }
  }

  private mutating func receive(_ router: borrowing Socket) throws {
    var bytesTaken = 0
    while uncommitted.count < Self.commitGroups, bytesTaken < Self.commitBytes, let received = try router.receiveFromPeer() {
      guard received.parts.count == 2 else {
        logger.warning("ignored a message of \(received.parts.count) frames, expected 2")
        continue
      }
      let (peer, frame) = (received.parts[0].bytes, received.parts[1])
      bytesTaken += frame.count
      if let objection = peers.objection(to: received.sender) {
        if objection.isNews { logger.warning("refused a message: \(objection.reason)") }
        _ = try router.send([peer, Message.refusal(Refusal(reason: objection.reason)).encode()])
        continue
      }
      do {
        let message = try frame.withUnsafeBytes { try Message(decoding: $0, from: Self.name(peer)) }
        try carryOut(desk.receive(message, frame: frame, from: peer, now: now), router)
      } catch let error as MessageError {
        try carryOut(desk.refuse(error, from: peer), router)
      }
    }
  }

  /// A routing identity as text.
  private static func name(_ peer: LearnerDesk.Peer) -> String {
    peer.first == 0 ? "actor \(peer.map { String($0, radix: 16) }.joined())" : String(decoding: peer, as: UTF8.self)
  }

  private mutating func carryOut(_ effects: [LearnerDesk.Effect], _ router: borrowing Socket) throws {
    for effect in effects {
      switch effect {
      case .note(let text): logger.info("\(text)")
      case .warn(let text): logger.warning("\(text)")
      case .send(let message, let peer):
        // Not taken: the actor is gone or slow. It asks again, and delivers again what it has no answer for.
        _ = try router.send(message.withEncoding(Frame.init), to: [peer])
      case .store(let group, let frame, let peer): try append(group, frame, peer)
      }
    }
  }

  private mutating func append(_ group: TrajectoryGroup, _ frame: Frame, _ peer: LearnerDesk.Peer) throws {
    do {
      // A duplicate within one commit is acknowledged with the first.
      try frame.withUnsafeBytes { _ = try store.append(group, bytes: $0) }
      uncommitted.append((peer, group.number))
      if isFull { logger.info("replay: there is room again") }
      isFull = false
    } catch let error as ReplayError where error.kind == .full {
      // Not acknowledged: the actor keeps it and delivers it again.
      if !isFull { logger.error("\(error)") }
      isFull = true
    }
  }

  private mutating func commit(_ router: borrowing Socket) throws {
    guard !uncommitted.isEmpty else { return }
    try store.commit()
    for (peer, groups) in Dictionary(grouping: uncommitted, by: \.peer) {
      try carryOut(desk.stored(groups.map(\.number).sorted(), from: peer), router)
    }
    uncommitted = []
    let before = store.droppedCount
    do {
      try store.maintain()
    } catch let error as ReplayError where error.kind == .full {
      logger.error("\(error)")
    }
    desk.dropped(store.droppedCount - before)
  }

  private mutating func carryOut(
    _ command: LearnerCommand, _ router: borrowing Socket, _ notices: borrowing Socket
  ) throws {
    switch command {
    case .groups(let epoch): wanted = epoch
    case .stored(let numbers):
      let groups = try numbers.map { try store.group($0) }
      try sampled(numbers.count, router)
      storedGroups.put(groups)
    case .publish(let version, let bytes, let tensorCount):
      let (notice, effects) = desk.publish(version: version, bytes: bytes, tensorCount: tensorCount, now: now)
      store.oldestNeededEpoch = max(0, version - settings.keptEpochs)
      // Lost notices cost nothing: every assignment names its policy.
      _ = try notices.send([Message.policyNotice(notice).encode()])
      try carryOut(effects, router)
    case .finish(let reason):
      try carryOut(desk.finish(reason), router)
      isFinished = true
    }
  }

  /// Gives training the epoch that it waits for, when it is complete and the limiter allows it.
  ///
  /// - Throws: `TrainingError` when it can never come: a wait without an end is worse than an end.
  private mutating func answer(_ router: borrowing Socket) throws {
    guard let epoch = wanted else { return }
    let numbers = desk.plan.numbers(ofEpoch: epoch)
    guard desk.plan.isComplete(epoch), desk.limiter.sampleBlock(numbers.count) == nil else {
      if let reason = desk.standstill(epoch) { throw TrainingError("the run stands still: \(reason)") }
      return
    }
    wanted = nil
    let groups = try numbers.map { try store.group($0) }
    try sampled(numbers.count, router)
    answers.put(groups)
  }

  /// Counts what training takes, before it has it.
  private mutating func sampled(_ count: Int, _ router: borrowing Socket) throws {
    try carryOut(desk.sampled(count, now: now), router)
    use.withLock { $0.limiter = desk.limiter }
  }

  /// Tells what the replay does, and who waits for whom.
  private mutating func observe() {
    let insertBlock: ReplayUse.Block? =
      isFull ? .fullDisk : desk.limiter.insertBlock(pending: desk.plan.leasedCount).map { .limiter($0) }
    let sampleBlock = wanted.flatMap { epoch in
      desk.limiter.sampleBlock(desk.plan.numbers(ofEpoch: epoch).count).map { ReplayUse.Block.limiter($0) }
    }
    use.withLock { use in
      use.groups = store.count
      use.bytes = store.byteCount
      use.segments = store.segmentCount
      use.cachedBytes = store.cachedByteCount
      use.limiter = desk.limiter
      use.actors = desk.actorCount
      for change in use.block(insert: insertBlock, sample: sampleBlock, now: now) {
        logger.info("replay: \(change), \(desk.limiter.summary)")
      }
    }
  }
}
