// The learner's network thread: it owns the sockets and carries out the effects of the state machine.
//
//     actors ──groups──▶ network thread ──insert──▶ replay thread ──▶ disk
//        ◀─work, policy,─┘   ▲    │  ◀──stored────┘        ▲  │
//          acknowledgement   │    │                 numbers│  │groups
//                    policy, │    │ "epoch is complete"    │  │
//                     epoch? │    ▼                        │  ▼
//                           training thread ───────────────┘◀─┘
//
// A group is acknowledged when the replay thread reports it as stored. At most `intakeBytes` of groups wait for the
// replay; then no more messages are received. Training asks the network thread for permission to take an epoch, and
// reads the groups from the replay thread itself.

internal import Foundation
internal import Logging
internal import Messages
internal import Replay
internal import Roles
internal import Threads
internal import Training
internal import Transport

enum LearnerCommand: Sendable {
  case epoch(Int)
  case sampled(Int)
  case publish(version: Int, bytes: [UInt8], tensorCount: Int)
  /// Tell all actors that the run is finished, and end when they have left.
  case finish(String)
}

/// The loop of the network thread; created and run on that thread.
struct LearnerLoop {
  private let settings: LearnerSettings
  private let logger: Logger
  private let commands: Mailbox<LearnerCommand>
  private let epochs: Mailbox<[Int]>
  private let use: SharedReplayUse
  private let replay: ReplayWorker
  private let events: Mailbox<ReplayEvent>
  private let start = ContinuousClock.now
  private var machine: LearnerStateMachine
  /// Bytes of groups that the replay has received and not reported yet.
  private var unsettledBytes = 0
  private var wanted: Int?
  private var isFull = false
  private var size: ReplaySize
  private var peers = RoleGuard(Self.actors)

  /// Only the keys of actors may insert trajectories and read policies.
  static let actors: Set<Role> = [.actor]

  /// Bytes of groups that wait for the replay before no more messages are received.
  private static let intakeBytes = 16 << 20
  /// Messages that are received before events and commands are handled.
  private static let receivedAtOnce = 64

  init(
    _ settings: LearnerSettings, _ judge: GroupJudge, replay: ReplayWorker, events: Mailbox<ReplayEvent>,
    commands: Mailbox<LearnerCommand>, epochs: Mailbox<[Int]>, use: SharedReplayUse, logger: Logger
  ) {
    (self.settings, self.replay, self.events, self.commands) = (settings, replay, events, commands)
    (self.epochs, self.use, self.logger) = (epochs, use, logger)
    let contents = replay.contents
    size = contents.size
    let limiter = RateLimiter(
      settings.rateLimits, inserts: contents.inserted, deletions: contents.dropped, samples: settings.groupsSampled)
    machine = LearnerStateMachine(
      settings, judge, stored: contents.waiting, limiter: limiter, incarnations: contents.incarnations)
    if !contents.waiting.isEmpty {
      logger.info("replay: \(size.groups) groups, \(contents.waiting.count) of them not trained on yet")
    }
  }

  private var now: Duration { ContinuousClock.now - start }

  /// Runs until the run is finished, or until a stop. Groups that were received by then are stored and acknowledged.
  ///
  /// - Throws: `SystemError` or `ReplayError` when the disk fails; no group is acknowledged then that is not on disk.
  ///   `TransportError`; `TrainingError` when the run stands still.
  mutating func run(
    _ router: borrowing Socket, _ notices: borrowing Socket, waker: Waker, stop: StopFlag
  ) throws {
    let poller = Poller(waker: waker)
    var nextTick = Duration.zero
    while !machine.mayClose(now: now), !stop.isSet {
      // An event or a command wakes the poller.
      _ = try poller.wait(for: isHeldBack ? [] : [router.readable], timeout: .milliseconds(500))
      try takeEvents(router)
      for command in commands.takeAll() { try carryOut(command, router, notices) }
      try receive(router)
      // A tick looks at every actor and all open work, so it does not follow every message. While no messages are
      // received, no actor counts as silent.
      if now >= nextTick, !isHeldBack {
        nextTick = now + .milliseconds(20)
        try carryOut(machine.tick(now: now), router)
      }
      try grantEpoch(router)
      observe()
    }
    try replay.finish()
    try takeEvents(router)
  }

  private var isHeldBack: Bool { unsettledBytes >= Self.intakeBytes }

  private mutating func takeEvents(_ router: borrowing Socket) throws {
    var stored: [LearnerStateMachine.Peer: [Int]] = [:]
    for event in events.takeAll() {
      for (peer, number) in event.stored { stored[peer, default: []].append(number) }
      unsettledBytes -= event.settledBytes
      machine.dropped(event.dropped)
      (isFull, size) = (event.isFull, event.size)
    }
    for (peer, numbers) in stored { try carryOut(machine.stored(numbers.sorted(), from: peer), router) }
    // The thread ends before `finish` only if the disk or a read fails.
    if events.hasClosed { try replay.finish() }
  }

  private mutating func receive(_ router: borrowing Socket) throws {
    var count = 0
    while !isHeldBack, count < Self.receivedAtOnce, let received = try router.receiveFromPeer() {
      count += 1
      guard received.parts.count == 2 else {
        logger.warning("ignored a message: expected 2 frames, found \(received.parts.count)")
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

  private static func name(_ peer: LearnerStateMachine.Peer) -> String {
    peer.first == 0 ? "actor \(peer.map { String($0, radix: 16) }.joined())" : String(decoding: peer, as: UTF8.self)
  }

  private mutating func carryOut(_ effects: [LearnerStateMachine.Effect], _ router: borrowing Socket) throws {
    for effect in effects {
      switch effect {
      case .note(let text): logger.info("\(text)")
      case .warn(let text): logger.warning("\(text)")
      case .send(let message, let peer):
        // If the message is not taken, the actor is gone or slow. It asks again, and delivers unanswered groups again.
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
    case .epoch(let epoch): wanted = epoch
    case .sampled(let count): try carryOut(machine.sampled(count, now: now), router)
    case .publish(let version, let bytes, let tensorCount):
      let (notice, effects) = machine.publish(version: version, bytes: bytes, tensorCount: tensorCount, now: now)
      replay.put(.keep(epoch: max(0, version - settings.keptEpochs)))
      // A notice may get lost, because every assignment names its policy.
      _ = try notices.send([Message.policyNotice(notice).encode()])
      try carryOut(effects, router)
    case .finish(let reason):
      wanted = nil
      try carryOut(machine.finish(reason, now: now), router)
    }
  }

  /// Lets training take the epoch that it waits for, if the epoch is complete and the limiter allows it.
  ///
  /// - Throws: `TrainingError` when the epoch can never be taken: an error is better than a wait without an end.
  private mutating func grantEpoch(_ router: borrowing Socket) throws {
    guard let epoch = wanted else { return }
    let numbers = machine.plan.numbers(ofEpoch: epoch)
    guard machine.plan.isComplete(epoch), machine.limiter.sampleBlock(numbers.count) == nil else {
      if let reason = machine.standstill(epoch) { throw TrainingError("the run stands still: \(reason)") }
      return
    }
    wanted = nil
    try carryOut(machine.sampled(numbers.count, now: now), router)
    // Training must find the count that includes its groups.
    use.withLock { $0.limiter = machine.limiter }
    epochs.put(Array(numbers))
  }

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
