// The learner's dealings with actors: hello, work, policies, deliveries. A pure value: no sockets, no disk, no clock.
// It promises that nothing is acknowledged before the caller says it is on disk, that a lost actor's work goes to
// others, and that an actor that has started again is not joined by an earlier life of itself.

internal import Configuration
internal import Messages
internal import Replay
internal import Roles
internal import Threads
internal import Transport

/// The protocol between the learner and all its actors.
struct LearnerStateMachine {
  /// A connection's routing identity.
  typealias Peer = [UInt8]

  /// What the caller is to do.
  enum Effect {
    case send(Message, to: Peer)
    /// Store this; then, once it is on disk, call `stored`.
    case store(TrajectoryGroup, frame: Frame, from: Peer)
    case note(String)
    case warn(String)
  }

  private struct Actor {
    let name: String
    let incarnation: Int
    var lastHeard: Duration
    /// Groups it would take on, when it was told to wait.
    var waiting = 0
    /// What it had then.
    var held: [Int] = []
  }

  private let settings: LearnerSettings
  private let isAcceptable: @Sendable (TrajectoryGroup) -> String?
  private(set) var plan: WorkPlan
  /// Inserts and samples, and what they allow.
  private(set) var limiter: RateLimiter
  /// Newest life of every actor that was ever heard of, by name.
  private var incarnations: [String: Int]
  private var policies: PolicyStore
  private var actors: [Peer: Actor] = [:]
  /// Why actors of this name and incarnation are refused.
  private var refused: [String: String] = [:]
  private var finished: String?

  /// - Parameters:
  ///   - stored: numbers of groups that are on disk from before and not trained on.
  ///   - limiter: what was inserted and sampled before.
  ///   - incarnations: newest life of each actor whose groups are stored, by name.
  ///   - isAcceptable: why a group cannot be trained on; nil: it can.
  init(
    _ settings: LearnerSettings, stored: Set<Int>, limiter: RateLimiter, incarnations: [String: Int],
    isAcceptable: @escaping @Sendable (TrajectoryGroup) -> String?
  ) {
    self.settings = settings
    self.isAcceptable = isAcceptable
    self.limiter = limiter
    self.incarnations = incarnations
    plan = WorkPlan(settings.work, stored: stored)
    policies = PolicyStore(kept: settings.work.maximumStaleness + 2)
  }

  /// Actors that were heard lately.
  var actorCount: Int { actors.count }

  /// A peer sent something.
  mutating func receive(_ message: Message, frame: Frame, from peer: Peer, now: Duration) -> [Effect] {
    if case .hello(let hello) = message { return greet(hello, peer, now: now) }
    guard actors[peer] != nil else {
      return [.send(.refusal(Refusal(reason: "expected a Hello first, found \(message.name)")), to: peer)]
    }
    actors[peer]?.lastHeard = now
    switch message {
    case .workRequest(let request): return work(request, peer, now: now)
    case .group(let group): return take(group, frame, peer)
    case .policyRequest(let request): return [.send(answer(request), to: peer)]
    case .goodbye(let goodbye): return remove(peer, "says goodbye: \(goodbye.reason)") + offerWork(now: now)
    case .heartbeat: return []
    default:
      return [.send(.refusal(Refusal(reason: "the learner does not take \(message.name)")), to: peer)]
    }
  }

  /// A peer sent bytes that are no message.
  func refuse(_ error: MessageError, from peer: Peer) -> [Effect] {
    [.warn("\(error)"), .send(.refusal(Refusal(reason: "\(error)")), to: peer)]
  }

  private mutating func greet(_ hello: Hello, _ peer: Peer, now: Duration) -> [Effect] {
    let who = "\(hello.name) incarnation \(hello.incarnation)"
    let newest = incarnations[hello.name]
    var reason = hello.mismatch(runID: settings.runID, modelHash: settings.modelHash, roles: [.actor])
    reason = reason ?? refused[who]
    if let newest, newest > hello.incarnation {
      reason =
        reason ?? "\(hello.name) has started again as incarnation \(newest); this one, \(hello.incarnation), ends"
    }
    if let reason { return [.warn("refused \(who): \(reason)"), .send(.refusal(Refusal(reason: reason)), to: peer)] }
    if let finished { return [.send(.runFinished(RunFinished(reason: finished)), to: peer)] }
    // An answer before there is a policy would be half an answer; the actor greets again.
    guard let policy = policies.current else { return [] }
    var effects: [Effect] = []
    for (old, actor) in actors where actor.name == hello.name && old != peer {
      effects += remove(old, "was replaced by incarnation \(hello.incarnation)")
    }
    if actors[peer] == nil {
      effects.append(.note("actor \(who) joins, \(actors.count + 1) in all"))
      actors[peer] = Actor(name: hello.name, incarnation: hello.incarnation, lastHeard: now)
      incarnations[hello.name] = hello.incarnation
    }
    actors[peer]?.lastHeard = now
    let welcome = Welcome(runID: settings.runID, runSeed: settings.seed, policy: policy)
    return effects + [.send(.welcome(welcome), to: peer)] + (effects.isEmpty ? [] : offerWork(now: now))
  }

  private mutating func work(_ request: WorkRequest, _ peer: Peer, now: Duration) -> [Effect] {
    let assignments = assign(to: peer, capacity: request.capacity, held: request.held, now: now)
    actors[peer]?.waiting = assignments.isEmpty ? request.capacity : 0
    actors[peer]?.held = request.held
    return [.send(.work(Work(assignments: assignments)), to: peer)]
  }

  /// Lends out work, as much as the limiter allows.
  private mutating func assign(to peer: Peer, capacity: Int, held: [Int], now: Duration) -> [Assignment] {
    let fresh = limiter.insertable(pending: plan.leasedCount, limit: capacity)
    return plan.assign(to: peer, capacity: capacity, held: held, fresh: fresh, now: now)
  }

  /// Gives work to actors that were told to wait.
  private mutating func offerWork(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    // In the order of names, so that the same events lead to the same offers.
    for (peer, actor) in actors.filter({ $0.value.waiting > 0 }).sorted(by: { $0.value.name < $1.value.name }) {
      let assignments = assign(to: peer, capacity: actor.waiting, held: actor.held, now: now)
      if assignments.isEmpty { break }
      actors[peer]?.waiting = 0
      effects.append(.send(.work(Work(assignments: assignments)), to: peer))
    }
    return effects
  }

  private mutating func take(_ group: TrajectoryGroup, _ frame: Frame, _ peer: Peer) -> [Effect] {
    func refusal(_ reason: String) -> Effect {
      .send(.refusal(Refusal(reason: reason, numbers: [group.number])), to: peer)
    }
    guard group.runID == settings.runID else {
      return [refusal("group \(group.number): expected run \(settings.runID), found \(group.runID)")]
    }
    switch plan.judge(group) {
    case .duplicate: return [.send(.acknowledgement(Acknowledgement(numbers: [group.number])), to: peer)]
    case .unwanted(let reason): return [.warn("actor \(group.actor): \(reason)"), refusal(reason)]
    case .wanted: break
    }
    guard let reason = isAcceptable(group) else { return [.store(group, frame: frame, from: peer)] }
    // It would make every group this way: it is sent away, or it would be given the same work for ever.
    plan.release(number: group.number)
    if let actor = actors[peer] { refused["\(actor.name) incarnation \(actor.incarnation)"] = reason }
    return [refusal(reason)] + remove(peer, "is sent away: \(reason)")
      + [.send(.refusal(Refusal(reason: reason)), to: peer)]
  }

  private func answer(_ request: PolicyRequest) -> Message {
    if let chunk = policies.chunk(request, limit: settings.network.policyChunkBytes) { return .policyChunk(chunk) }
    // Work for a policy that is gone is done; what is left of it in the actor's queue need not be made.
    let newest = policies.current?.version ?? 0
    return .refusal(
      Refusal(
        reason: "policy \(request.version) from byte \(request.offset) is not kept any more, the newest is \(newest)",
        numbers: plan.settled(policyVersion: request.version)))
  }

  private mutating func remove(_ peer: Peer, _ reason: String) -> [Effect] {
    guard let actor = actors.removeValue(forKey: peer) else { return [] }
    plan.release(peer)
    return [.note("actor \(actor.name) \(reason), \(actors.count) left")]
  }

  // MARK: What the caller tells

  /// These groups of a peer are on disk.
  mutating func stored(_ numbers: [Int], from peer: Peer) -> [Effect] {
    for number in numbers where plan.store(number) { limiter.insert() }
    return [.send(.acknowledgement(Acknowledgement(numbers: numbers)), to: peer)]
  }

  /// Training has taken groups, each counted as often as it was taken.
  mutating func sampled(_ count: Int, now: Duration) -> [Effect] {
    limiter.sample(count)
    return offerWork(now: now)
  }

  /// Groups are no longer kept.
  mutating func dropped(_ count: Int) { limiter.delete(count) }

  /// Training waits for an epoch that cannot become complete, since nothing is being made and nothing may be.
  func standstill(_ epoch: Int) -> String? {
    guard let limits = limiter.limits, plan.policyVersion != nil else { return nil }
    if plan.isComplete(epoch) {
      guard let block = limiter.sampleBlock(plan.numbers(ofEpoch: epoch).count), plan.leasedCount == 0,
        limiter.insertBlock() != nil || !plan.hasOpenWork
      else { return nil }
      return "training waits (\(block.rawValue)), and there is nothing left that may be inserted: \(limiter.summary). "
        + "replay.samplesPerInsert is \(limits.samplesPerInsert); set it to what training uses, or raise "
        + "replay.errorBuffer"
    }
    guard plan.leasedCount == 0, let block = limiter.insertBlock() else { return nil }
    return "inserting waits (\(block.rawValue)), and training waits for epoch \(epoch): \(limiter.summary). "
      + "replay.samplesPerInsert is \(limits.samplesPerInsert); set it to what training uses, or raise "
      + "replay.errorBuffer"
  }

  /// A policy is in force.
  mutating func publish(version: Int, bytes: [UInt8], tensorCount: Int, now: Duration) -> (PolicyNotice, [Effect]) {
    let notice = policies.publish(version: version, bytes: bytes, tensorCount: tensorCount)
    plan.published(version)
    return (notice, offerWork(now: now))
  }

  /// Time has passed: silent actors count as lost, and their work goes to others.
  mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    for (peer, actor) in actors where now - actor.lastHeard > .seconds(settings.network.silenceLimit) {
      effects += remove(
        peer, "has been silent for \(Int((now - actor.lastHeard).components.seconds)) s and counts as lost")
    }
    if plan.hasWork(now: now) { effects += offerWork(now: now) }
    return effects
  }

  /// The run is over; whoever asks is told.
  mutating func finish(_ reason: String) -> [Effect] {
    finished = reason
    defer { actors = [:] }
    return actors.keys.map { .send(.runFinished(RunFinished(reason: reason)), to: $0) }
  }
}
