// The loop of the router's thread: it decodes messages, passes them to RouterStateMachine, and carries out its effects.

internal import Logging
internal import Messages
internal import Roles
internal import Threads
internal import Transport

struct RouterLoop {
  private var machine: RouterStateMachine
  private let heartbeatInterval: Duration
  private let logger: Logger
  /// Answers for clients whose queue is full; bounded by the state machine's limit of requests per client.
  private var unsent: [(client: RouterStateMachine.Peer, frame: Frame)] = []
  private var servers: Set<RouterStateMachine.Peer> = []
  /// Servers whose last hello was refused. Their offers are ignored.
  private var refusedServers: Set<RouterStateMachine.Peer> = []
  private var frontGuard = RoleGuard(Self.clients)
  private var backGuard = RoleGuard(Self.servers)
  private let start = ContinuousClock.now

  static let clients: Set<Role> = [.actor, .learner, .tool]
  static let servers: Set<Role> = [.rewardServer]

  init(machine: RouterStateMachine, heartbeatInterval: Duration, logger: Logger) {
    (self.machine, self.heartbeatInterval, self.logger) = (machine, heartbeatInterval, logger)
  }

  private var now: Duration { ContinuousClock.now - start }

  mutating func run(front: borrowing Socket, back: borrowing Socket, waker: Waker, stop: StopFlag) throws {
    let poller = Poller(waker: waker)
    var nextHeartbeat = Duration.zero
    var nextTick = Duration.zero
    while !stop.isSet {
      _ = try poller.wait(for: [front.readable, back.readable], timeout: .milliseconds(unsent.isEmpty ? 100 : 10))
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
      // A tick visits every request, so it does not follow each message.
      if now >= nextTick {
        nextTick = now + .milliseconds(5)
        try carryOut(machine.tick(now: now), front: front, back: back)
      }
      let answers = unsent
      unsent = []
      for (client, frame) in answers { try answer(client, frame, front: front) }
      if now >= nextHeartbeat {
        nextHeartbeat = now + heartbeatInterval
        let bytes = Message.heartbeat(Heartbeat()).encode()
        for peer in servers {
          // A full queue needs no more heartbeats. A peer that is gone is removed when it has been silent for too long.
          if try back.send([peer, bytes]) == .unreachable { servers.remove(peer) }
        }
      }
    }
  }

  private mutating func fromServer(_ frames: [Frame], front: borrowing Socket, back: borrowing Socket) throws {
    guard let peer = sender(of: frames, "reward server") else { return }
    let message: Message
    do { message = try frames[1].withUnsafeBytes { try Message(decoding: $0, from: "reward server") } } catch {
      // Its tasks are passed to others until it offers its rewards again.
      try carryOut(machine.lost(peer, reason: "sent an invalid message: \(error)", now: now), front: front, back: back)
      return
    }
    switch message {
    case .serverReady where refusedServers.contains(peer): break
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
      guard let problem = hello.mismatch(runID: "", modelHash: "", roles: Self.servers) else {
        refusedServers.remove(peer)
        return
      }
      if refusedServers.insert(peer).inserted { logger.warning("router: refused a reward server: \(problem)") }
      _ = try back.send([peer, Message.refusal(Refusal(reason: problem)).encode()])
    default: logger.warning("router: a reward server sent \(message.name), which is ignored")
    }
  }

  private mutating func fromClient(_ frames: [Frame], front: borrowing Socket, back: borrowing Socket) throws {
    guard let peer = sender(of: frames, "client") else { return }
    let message: Message
    do { message = try frames[1].withUnsafeBytes { try Message(decoding: $0, from: "client") } } catch {
      logger.warning("router: ignored an invalid message: \(error)")
      return
    }
    switch message {
    case .scoreRequest(let request):
      try carryOut(machine.request(request, from: peer, now: now), front: front, back: back)
    case .rewardsQuery:
      try answer(peer, .rewardsOffered(RewardsOffered(rewards: machine.offers)), front: front)
    case .hello(let hello):
      if let problem = hello.mismatch(runID: "", modelHash: "", roles: Self.clients) {
        logger.warning("router: refused a client: \(problem)")
        try answer(peer, .refusal(Refusal(reason: problem)), front: front)
      } else {
        try answer(peer, .heartbeat(Heartbeat()), front: front)
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

  /// The sender of frames that are an identity and a message; nil, with a warning, if they are not.
  private func sender(of frames: [Frame], _ kind: String) -> RouterStateMachine.Peer? {
    if frames.count == 2 { return frames[0].bytes }
    logger.warning("router: ignored a message from a \(kind): expected one frame, found \(frames.count - 1)")
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
          pending += machine.lost(peer, reason: "can no longer be reached", now: now)
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
    case .full: unsent.append((client, frame))
    case .unreachable: logger.info("router: a client left before its answer was sent")
    }
  }
}
