// The learner's protocol with actors: hello, work, policies, deliveries. A pure value: no sockets, no disk, no clock. It
// guarantees that no group is acknowledged before the caller reports it as stored, that a lost actor's work goes to other
// actors, that an older incarnation of an actor is refused, and that after the end of the run every message of an actor
// is answered with the end until the actor says goodbye.

internal import Basics
internal import Configuration
package import Messages
package import Replay
internal import Roles
internal import Threads
package import Transport

package struct LearnerStateMachine {
  /// A connection's routing identity.
  package typealias Peer = [UInt8]

  package enum Effect {
    case send(Message, to: Peer)
    /// Store this group, and call `stored` when it is on disk.
    case store(TrajectoryGroup, frame: Frame, from: Peer)
    case note(String)
    case warn(String)
  }

  private struct Actor {
    let name: String
    let incarnation: Int
    var lastHeard: Duration
    /// The capacity of a work request that could not be met yet.
    var waiting = 0
    var held: [Int] = []
  }

  private let settings: LearnerSettings
  private let judge: GroupJudge
  private(set) var plan: WorkPlan
  /// Counts inserts and samples, and limits them.
  private(set) var limiter: RateLimiter
  /// Newest incarnation of every known actor, by name.
  private var incarnations: [String: Int]
  private var policies: PolicyStore
  private var actors: [Peer: Actor] = [:]
  /// The reason why an actor is refused, by name and incarnation.
  private var refused: [String: String] = [:]
  private var finished: (reason: String, at: Duration)?

  /// - Parameters:
  ///   - stored: numbers of groups that are stored and not trained on.
  ///   - limiter: with the inserts and samples so far.
  ///   - incarnations: newest incarnation of each actor whose groups are stored, by name.
  package init(
    _ settings: LearnerSettings, _ judge: GroupJudge, stored: Set<Int>, limiter: RateLimiter,
    incarnations: [String: Int]
  ) {
    (self.settings, self.judge, self.limiter, self.incarnations) = (settings, judge, limiter, incarnations)
    plan = WorkPlan(settings.work, stored: stored)
    policies = PolicyStore(kept: settings.work.maximumStaleness + 2)
  }

  var actorCount: Int { actors.count }

  package mutating func receive(_ message: Message, frame: Frame, from peer: Peer, now: Duration) -> [Effect] {
    if case .hello(let hello) = message { return greet(hello, peer, now: now) }
    guard actors[peer] != nil else {
      return [.send(.refusal(Refusal(reason: "expected a Hello first, found \(message.name)")), to: peer)]
    }
    actors[peer]?.lastHeard = now
    if case .goodbye(let goodbye) = message {
      return remove(peer, "says goodbye: \(goodbye.reason)") + offerWork(now: now)
    }
    if let end = endOfRun(for: peer) { return [end] }
    switch message {
    case .workRequest(let request): return work(request, peer, now: now)
    case .group(let group): return take(group, frame, peer)
    case .policyRequest(let request): return [.send(answer(request), to: peer)]
    case .heartbeat: return []
    default:
      return [.send(.refusal(Refusal(reason: "the learner does not accept \(message.name)")), to: peer)]
    }
  }

  /// Handles bytes of a peer that are not a message.
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
        reason ?? "\(hello.name) has started again as incarnation \(newest); incarnation \(hello.incarnation) must end"
    }
    if let reason { return [.warn("refused \(who): \(reason)"), .send(.refusal(Refusal(reason: reason)), to: peer)] }
    // There is nothing to welcome the actor with before the first policy; it greets again.
    guard let policy = policies.current else { return [] }
    var effects: [Effect] = []
    for (old, actor) in actors where actor.name == hello.name && old != peer {
      effects += remove(old, "was replaced by incarnation \(hello.incarnation)")
    }
    if actors[peer] == nil {
      effects.append(.note("actor \(who) has joined; \(actors.count + 1) actors"))
      actors[peer] = Actor(name: hello.name, incarnation: hello.incarnation, lastHeard: now)
      incarnations[hello.name] = hello.incarnation
    }
    actors[peer]?.lastHeard = now
    if let end = endOfRun(for: peer) { return effects + [end] }
    let welcome = Welcome(runID: settings.runID, runSeed: settings.seed, policy: policy)
    return effects + [.send(.welcome(welcome), to: peer)] + (effects.isEmpty ? [] : offerWork(now: now))
  }

  private mutating func work(_ request: WorkRequest, _ peer: Peer, now: Duration) -> [Effect] {
    let assignments = assign(to: peer, capacity: request.capacity, held: request.held, now: now)
    actors[peer]?.waiting = assignments.isEmpty ? request.capacity : 0
    actors[peer]?.held = request.held
    return [.send(.work(Work(assignments: assignments)), to: peer)]
  }

  /// Assigns as much work as the limiter allows.
  private mutating func assign(to peer: Peer, capacity: Int, held: [Int], now: Duration) -> [Assignment] {
    let fresh = limiter.insertable(pending: plan.leasedCount, limit: capacity)
    return plan.assign(to: peer, capacity: capacity, held: held, fresh: fresh, now: now)
  }

  private mutating func offerWork(now: Duration) -> [Effect] {
    if finished != nil { return [] }
    var effects: [Effect] = []
    // In the order of names, so that the same events lead to the same assignments.
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
    switch judge.verdict(on: group, plan) {
    case .accepted: return [.store(group, frame: frame, from: peer)]
    case .duplicate: return [.send(.acknowledgement(Acknowledgement(numbers: [group.number])), to: peer)]
    case .refused(let reason): return [.warn("refused a group of actor \(group.actor): \(reason)"), refusal(reason)]
    case .incompatible(let reason):
      // The actor is refused as well; otherwise it would receive the same work again.
      plan.release(number: group.number)
      if let actor = actors[peer] { refused["\(actor.name) incarnation \(actor.incarnation)"] = reason }
      return [refusal(reason)] + remove(peer, "is refused: \(reason)")
        + [.send(.refusal(Refusal(reason: reason)), to: peer)]
    }
  }

  private func answer(_ request: PolicyRequest) -> Message {
    if let chunk = policies.chunk(request, limit: settings.network.policyChunkBytes) { return .policyChunk(chunk) }
    // The work for a policy that is gone is done; the actor need not sample what is left of it in its queue.
    let newest = policies.current?.version ?? 0
    return .refusal(
      Refusal(
        reason: "policy \(request.version) from byte \(request.offset) is no longer kept; the newest is \(newest)",
        numbers: plan.settled(policyVersion: request.version)))
  }

  private mutating func remove(_ peer: Peer, _ reason: String) -> [Effect] {
    guard let actor = actors.removeValue(forKey: peer) else { return [] }
    plan.release(peer)
    return [.note("actor \(actor.name) \(reason); \(actors.count) actors left")]
  }

  // MARK: Reports of the caller

  mutating func stored(_ numbers: [Int], from peer: Peer) -> [Effect] {
    for number in numbers where plan.store(number) { limiter.insert() }
    return [.send(.acknowledgement(Acknowledgement(numbers: numbers)), to: peer)]
  }

  /// Counts groups that training takes, each as often as it is taken.
  mutating func sampled(_ count: Int, now: Duration) -> [Effect] {
    limiter.sample(count)
    return offerWork(now: now)
  }

  mutating func dropped(_ count: Int) { limiter.delete(count) }

  /// Why training waits for an epoch in vain; nil when it need not be in vain.
  ///
  /// Training waits in vain if no event can come that ends the waiting. There are four conditions, all necessary:
  /// 1. There are rate limits, and a policy is in force. Without limits actors can always insert; without a policy none
  ///    has started.
  /// 2. Training cannot take the epoch: it is incomplete, or the limiter allows no sample.
  /// 3. No group is being sampled by an actor, so no insert is under way.
  /// 4. No group can be assigned: the limiter allows no insert, or, with a complete epoch, there is no open work.
  func standstill(_ epoch: Int) -> String? {
    guard let limits = limiter.limits, plan.policyVersion != nil, plan.leasedCount == 0 else { return nil }
    let insertBlock = limiter.insertBlock()
    let state: String
    if plan.isComplete(epoch) {
      guard let block = limiter.sampleBlock(plan.numbers(ofEpoch: epoch).count), insertBlock != nil || !plan.hasOpenWork
      else { return nil }
      state = "training waits: \(block.text); and no more groups may be inserted"
    } else {
      guard let block = insertBlock else { return nil }
      state = "inserting waits: \(block.text); and training waits for epoch \(epoch)"
    }
    return "\(state) (\(limiter.summary)). replay.samplesPerInsert is \(limits.samplesPerInsert); set it to the number of "
      + "times that training uses a group, or raise replay.errorBuffer"
  }

  package mutating func publish(
    version: Int, bytes: [UInt8], tensorCount: Int, now: Duration
  ) -> (PolicyNotice, [Effect]) {
    let notice = policies.publish(version: version, bytes: bytes, tensorCount: tensorCount)
    plan.published(version)
    return (notice, offerWork(now: now))
  }

  package mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    for (peer, actor) in actors where now - actor.lastHeard > .seconds(settings.network.silenceLimit) {
      effects += remove(
        peer, "has been silent for \(Int((now - actor.lastHeard).seconds)) s and counts as lost")
    }
    if plan.hasWork(now: now) { effects += offerWork(now: now) }
    return effects
  }

  /// Ends the run. From now on every message of an actor is answered with the end.
  package mutating func finish(_ reason: String, now: Duration) -> [Effect] {
    finished = (reason, now)
    return actors.keys.compactMap { endOfRun(for: $0) }
  }

  private func endOfRun(for peer: Peer) -> Effect? {
    finished.map { .send(.runFinished(RunFinished(reason: $0.reason)), to: peer) }
  }

  /// Whether the run has ended and the sockets may close: all actors have said goodbye or the silence limit has passed.
  ///
  /// A message alone is not enough. If a socket closes with unread input, TCP resets the connection and the peer may
  /// lose the last message; the actor would then wait for the learner to return.
  package func mayClose(now: Duration) -> Bool {
    finished.map { actors.isEmpty || now - $0.at >= .seconds(settings.network.silenceLimit) } ?? false
  }
}
