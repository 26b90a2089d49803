// One thread's loop around a dispatcher: bytes to messages to effects to bytes.

internal import Logging
internal import Messages
internal import Threads
internal import Transport

struct RouterLoop {
  private var machine: RouterStateMachine
  private let logger: Logger
  private let beat: Duration
  /// Answers that a client's full queue has not taken yet; bounded by the dispatcher's limit of requests a client.
  private var held: [(client: RouterStateMachine.Peer, frame: Frame)] = []
  private var servers: Set<RouterStateMachine.Peer> = []
  private var frontGuard = RoleGuard(Self.clients)
  private var backGuard = RoleGuard(Self.servers)
  private let start = ContinuousClock.now

  /// Who may ask for scores.
  static let clients: Set<KeyRole> = [.actor, .learner, .tool]
  /// Who may give them.
  static let servers: Set<KeyRole> = [.rewardServer]

  init(machine: RouterStateMachine, logger: Logger, beat: Duration) {
    self.machine = machine
    self.logger = logger
    self.beat = beat
  }

  private var now: Duration { ContinuousClock.now - start }

  mutating func run(front: borrowing Socket, back: borrowing Socket, waker: Waker, stop: StopFlag) throws {
    let poller = Poller(waker: waker)
    var nextBeat = Duration.zero
    var nextTick = Duration.zero
    var sequence = 0
    while !stop.isSet {
      _ = try poller.wait(for: [front.readable, back.readable], timeout: .milliseconds(held.isEmpty ? 100 : 10))
      while let received = try back.receiveFromPeer() {
        if let objection = backGuard.objection(to: received.sender) {
          try refuse(received, objection, back)
        } else {
          try fromServer(received.parts, front: front, back: back)
        }
      }
      while let received = try front.receiveFromPeer() {
        if let objection = frontGuard.objection(to: received.sender) {
          try refuse(received, objection, front)
        } else {
          try fromClient(received.parts, front: front, back: back)
        }
      }
      // It looks at every request: not after each message.
      if now >= nextTick {
        nextTick = now + .milliseconds(5)
        try carryOut(machine.tick(now: now), front: front, back: back)
      }
      let answers = held
      held = []
      for (client, frame) in answers { try answer(client, frame, front: front) }
      if now >= nextBeat {
        sequence += 1
        nextBeat = now + beat
        let bytes = Message.heartbeat(Heartbeat(sequence: sequence)).encode()
        for peer in servers {
          // A full queue needs no more beats; a peer that is gone is noticed when it is silent.
          if try back.send([peer, bytes]) == .unreachable { servers.remove(peer) }
        }
      }
    }
  }

  private mutating func fromServer(_ frames: [Frame], front: borrowing Socket, back: borrowing Socket) throws {
    guard let peer = sender(of: frames, "reward server") else { return }
    let message: Message
    do { message = try frames[1].withUnsafeBytes { try Message(decoding: $0, from: "reward server") } } catch {
      // Its answers cannot be read: what it holds goes to others, until it offers itself again.
      try carryOut(machine.lost(peer, reason: "sent a broken message: \(error)", now: now), front: front, back: back)
      return
    }
    switch message {
    case .serverReady(let ready):
      servers.insert(peer)
      try carryOut(machine.ready(ready, from: peer, now: now), front: front, back: back)
    case .scoreReply(let reply):
      try carryOut(machine.reply(reply, from: peer, now: now), front: front, back: back)
    case .goodbye:
      servers.remove(peer)
      try carryOut(machine.goodbye(peer, now: now), front: front, back: back)
    case .heartbeat: machine.heard(from: peer, now: now)
    case .hello(let hello):
      if let problem = hello.mismatch(runID: "", modelHash: "", roles: [.rewardServer]) {
        logger.warning("router: refused a peer at the reward servers' endpoint: \(problem)")
        _ = try back.send([peer, Message.refusal(Refusal(reason: problem)).encode()])
      }
    default: logger.warning("router: a reward server sent \(message.name), which is ignored")
    }
  }

  private mutating func fromClient(_ frames: [Frame], front: borrowing Socket, back: borrowing Socket) throws {
    guard let peer = sender(of: frames, "client") else { return }
    let message: Message
    do { message = try frames[1].withUnsafeBytes { try Message(decoding: $0, from: "client") } } catch {
      logger.warning("router: ignored a broken message: \(error)")
      return
    }
    switch message {
    case .scoreRequest(let request):
      try carryOut(machine.request(request, from: peer, now: now), front: front, back: back)
    case .rewardsQuery:
      try answer(peer, .rewardsOffered(RewardsOffered(rewards: machine.offers)), front: front)
    case .heartbeat(let heartbeat):
      try answer(peer, .heartbeat(heartbeat), front: front)
    case .hello(let hello):
      if let problem = hello.mismatch(runID: "", modelHash: "", roles: [.actor, .learner, .tool]) {
        logger.warning("router: refused a peer at the actors' endpoint: \(problem)")
        try answer(peer, .refusal(Refusal(reason: problem)), front: front)
      }
    default: logger.warning("router: a client sent \(message.name), which is ignored")
    }
  }

  private func refuse(
    _ received: Received, _ objection: (reason: String, isNews: Bool), _ socket: borrowing Socket
  ) throws {
    if objection.isNews { logger.warning("router: refused a message: \(objection.reason)") }
    _ = try socket.send([received.parts[0].bytes, Message.refusal(Refusal(reason: objection.reason)).encode()])
  }

  /// Who sent frames that are an address and a message; nil, with a warning, when they are not.
  private func sender(of frames: [Frame], _ kind: String) -> RouterStateMachine.Peer? {
    if frames.count == 2 { return frames[0].bytes }
    logger.warning("router: expected one frame from a \(kind), found \(frames.count - 1); ignored")
    return nil
  }

  private mutating func carryOut(
    _ effects: [RouterStateMachine.Effect], front: borrowing Socket, back: borrowing Socket
  ) throws {
    var pending = effects
    while !pending.isEmpty {
      let effect = pending.removeFirst()
      switch effect {
      case .note(let text): logger.info("router: \(text)")
      case .answer(let client, let reply):
        for result in reply.results where !result.error.isEmpty {
          logger.warning("router: \(result.reward) of request \(reply.id): \(result.error)")
        }
        try answer(client, .scoreReply(reply), front: front)
      case .dispatch(let peer, let request):
        switch try back.send(Message.scoreRequest(request).withEncoding(Frame.init), to: [peer]) {
        case .sent: break
        case .full: machine.putBack(request.id, from: peer)
        case .unreachable:
          servers.remove(peer)
          pending += machine.lost(peer, reason: "cannot be reached any more", now: now)
        }
      }
    }
  }

  private mutating func answer(_ client: RouterStateMachine.Peer, _ message: Message, front: borrowing Socket) throws {
    try answer(client, message.withEncoding(Frame.init), front: front)
  }

  private mutating func answer(_ client: RouterStateMachine.Peer, _ frame: Frame, front: borrowing Socket) throws {
    switch try front.send(frame, to: [client]) {
    case .sent: break
    case .full: held.append((client, frame))
    case .unreachable: logger.info("router: a client left before its answer came")
    }
  }
}
