// The protocol between an actor and the learner: hello, work, policies, deliveries. A pure value without sockets or
// clocks. It guarantees that a group is kept until the learner has stored or refused it, that the number of groups in
// progress is bounded, and that a batch is sampled only with the policy of its assignments.

internal import Configuration
internal import Messages
internal import Roles

struct ActorStateMachine: Sendable {
  enum Phase: Sendable, Equatable {
    /// The learner has not answered yet, or not for longer than the silence limit.
    case greeting
    case working
    /// The run is finished.
    case finished(String)
  }

  enum Effect: Sendable {
    case send(Message)
    case bind(bytes: [UInt8], version: Int, tensorCount: Int?)
    case sample([Assignment])
    case note(String)
  }

  private struct Delivery {
    let group: TrajectoryGroup
    var sentAt: Duration
    var byteCount: Int { group.stateByteCount }
  }

  private let options: ActorOptions
  private let modelHash: String
  private(set) var phase = Phase.greeting
  /// Known after the first welcome. Later ones must agree.
  private(set) var run: RunIdentity?
  private var notice: PolicyNotice?
  private var download: PolicyDownload?
  private var chunkAskedAt = Duration.zero
  /// Version of the policy that was last passed to the sampler.
  private var boundVersion: Int?
  /// Assignments that were not yet passed to the sampler.
  private var queue: [Assignment] = []
  private var started: Set<Int> = []
  private var isSampling = false
  private var deliveries: [Int: Delivery] = [:]
  private var lastHeard = Duration.zero
  private var nextHello = Duration.zero
  private var askedAt: Duration?
  private var askedCapacity = 0
  /// Number of hellos since the first refusal; nil if the last one was accepted.
  private var refusedHellos: Int?
  private var isStopping = false

  init(_ options: ActorOptions, modelHash: String) {
    self.options = options
    self.modelHash = modelHash
  }

  /// Number of groups that are being sampled or scored, or that wait for an acknowledgement.
  var inProgress: Int { started.count + deliveries.count }
  var undelivered: Int { deliveries.count }
  /// Size in bytes of the states of these groups.
  var undeliveredBytes: Int { deliveries.values.reduce(0) { $0 + $1.byteCount } }
  var unfinished: Int { started.count }

  /// Handles a message of the learner. Throws `ActorError` if this actor cannot continue.
  mutating func receive(_ message: Message, now: Duration) throws -> [Effect] {
    lastHeard = now
    switch message {
    case .welcome(let welcome): return try take(welcome, now: now)
    case .refusal(let refusal): return try take(refusal)
    case .work(let work): return take(work)
    case .acknowledgement(let acknowledgement):
      for number in acknowledgement.numbers { deliveries[number] = nil }
      return []
    case .policyNotice(let notice):
      announce(notice)
      return []
    case .policyChunk(let chunk): return try take(chunk, now: now)
    case .runFinished(let finished):
      phase = .finished(finished.reason)
      return []
    case .heartbeat, .goodbye: return []
    default: return [.note("the learner sent \(message.name), which is ignored")]
    }
  }

  /// The sampler has finished a batch, whose groups are being scored now.
  mutating func sampled() { isSampling = false }

  /// Delivers a group that has its scores. The group is kept until it is acknowledged.
  mutating func deliver(_ group: TrajectoryGroup, now: Duration) -> [Effect] {
    started.remove(group.number)
    deliveries[group.number] = Delivery(group: group, sentAt: now)
    return phase == .working ? [.send(.group(group))] : []
  }

  mutating func stop() {
    isStopping = true
    queue = []
  }

  /// Whether a group still waits for an acknowledgement.
  func awaits(_ number: Int) -> Bool { deliveries[number] != nil }

  mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    if case .finished = phase { return [] }
    if phase == .working, now - lastHeard > .seconds(options.network.silenceLimit) {
      greetAgain()
      effects.append(.note("the learner has been silent for \(Int(options.network.silenceLimit)) s"))
    }
    if now >= nextHello {
      // The connection may not be established yet when the first ones are sent.
      let interval = options.network.heartbeatInterval
      nextHello = now + .seconds(run == nil ? min(interval, 0.5) : interval)
      // A hello also serves as the heartbeat: its answer names the newest policy, and a restarted learner gets to know
      // this actor.
      refusedHellos = refusedHellos.map { $0 + 1 }
      effects.append(.send(.hello(hello)))
    }
    guard phase == .working else { return effects }
    for (number, delivery) in deliveries.sorted(by: { $0.key < $1.key })
    where now - delivery.sentAt > options.redelivery {
      deliveries[number]?.sentAt = now
      effects.append(.send(.group(delivery.group)))
    }
    effects += startWork(now: now)
    effects += askForWork(now: now)
    return effects
  }

  /// The largest number of groups in progress: at least two batches, so that one can be sampled while another is
  /// scored.
  private var limit: Int { max(options.network.undeliveredGroups, 2 * batchSize) }
  private var batchSize: Int { options.configuration.sampling.batchSize }
  /// Whether sampling pauses because too many bytes wait for the learner.
  private var isOutboxFull: Bool { undeliveredBytes >= options.network.undeliveredBytes }

  var hello: Hello {
    Hello(
      role: .actor, runID: run?.id ?? "", modelHash: modelHash, name: options.name, incarnation: options.incarnation)
  }

  private mutating func greetAgain() {
    phase = .greeting
    forgetPlans()
  }

  /// The learner may have restarted from its checkpoint, so assignments that were not started and policies are
  /// requested again. Finished groups are delivered anyway: the learner knows which ones it has.
  private mutating func forgetPlans() {
    queue = []
    askedAt = nil
    notice = nil
    download = nil
    boundVersion = nil
  }

  private mutating func take(_ welcome: Welcome, now: Duration) throws -> [Effect] {
    let identity = RunIdentity(
      id: welcome.runID, seed: welcome.runSeed, actor: options.name, incarnation: options.incarnation)
    guard run == nil || run == identity else {
      throw ActorError(
        "\(options.network.learner): expected run \(run?.id ?? ""), found run \(identity.id). Another learner uses "
          + "this endpoint now; restart this actor to join it.")
    }
    run = identity
    if let notice, welcome.policy.version < notice.version
      || welcome.policy.version == notice.version && welcome.policy.digest != notice.digest
    {
      forgetPlans()
    }
    announce(welcome.policy)
    refusedHellos = nil
    guard phase == .greeting else { return [] }
    phase = .working
    // Deliveries from before the silence are repeated now instead of after `redelivery`.
    for number in deliveries.keys { deliveries[number]?.sentAt = now }
    return [.note("joined run \(identity.id), policy \(welcome.policy.version)")]
      + deliveries.sorted { $0.key < $1.key }.map { .send(.group($0.value.group)) }
  }

  private mutating func take(_ refusal: Refusal) throws -> [Effect] {
    if !refusal.numbers.isEmpty {
      for number in refusal.numbers {
        deliveries[number] = nil
        queue.removeAll { $0.number == number }
      }
      return [.note("the learner refused the groups \(refusal.numbers): \(refusal.reason)")]
    }
    // A restarted learner refuses messages that arrive before the next hello. The refusal is final only if hellos are
    // refused too.
    let hellos = refusedHellos ?? 0
    guard run != nil, hellos < 3 else {
      throw ActorError("\(options.network.learner): the learner refused actor \(options.name): \(refusal.reason)")
    }
    refusedHellos = hellos
    guard phase == .working else { return [] }
    greetAgain()
    nextHello = .zero
    return [.note("the learner refused a message: \(refusal.reason)")]
  }

  private mutating func take(_ work: Work) -> [Effect] {
    if !work.assignments.isEmpty { askedAt = nil }
    guard !isStopping else { return [] }
    let known = Set(queue.map(\.number)).union(started).union(deliveries.keys)
    queue += work.assignments.filter { !known.contains($0.number) }
    queue.sort { $0.number < $1.number }
    return []
  }

  private mutating func announce(_ found: PolicyNotice) {
    if found.version >= notice?.version ?? 0 { notice = found }
  }

  private mutating func take(_ chunk: PolicyChunk, now: Duration) throws -> [Effect] {
    guard let proven = try download?.take(chunk) else {
      guard let download, chunk.version == download.version else { return [] }
      chunkAskedAt = now
      return [.send(.policyRequest(request(download)))]
    }
    download = nil
    boundVersion = chunk.version
    var tensorCount: Int?
    if let notice, notice.version == chunk.version {
      guard notice.digest == proven.digest else {
        throw ActorError(
          "policy \(chunk.version): it was announced with SHA-256 \(notice.digest) and sent with \(proven.digest). Two "
            + "learners seem to share the endpoint; stop one of them.")
      }
      tensorCount = notice.tensorCount
    }
    return [.bind(bytes: proven.bytes, version: chunk.version, tensorCount: tensorCount)]
  }

  private func request(_ download: PolicyDownload) -> PolicyRequest {
    PolicyRequest(version: download.version, offset: download.offset, byteCount: options.network.policyChunkBytes)
  }

  private mutating func startWork(now: Duration) -> [Effect] {
    // Without assignments the newest policy is requested in advance.
    let wanted = queue.first?.policyVersion ?? notice?.version
    guard !isSampling, let wanted else { return [] }
    guard boundVersion == wanted else {
      if download?.version == wanted, now - chunkAskedAt < .seconds(5) { return [] }
      if download?.version != wanted { download = PolicyDownload(version: wanted) }
      chunkAskedAt = now
      return [.send(.policyRequest(request(download!)))]
    }
    guard let first = queue.first else { return [] }
    let batch = queue.prefix { $0.policyVersion == wanted && $0.form == first.form }
      .prefix(batchSize)
    guard inProgress + batch.count <= limit, !isOutboxFull else { return [] }
    queue.removeFirst(batch.count)
    started.formUnion(batch.map(\.number))
    isSampling = true
    return [.sample(Array(batch))]
  }

  /// Requests a batch when none is left. Repeating the request renews the leases of the groups in progress.
  private mutating func askForWork(now: Duration) -> [Effect] {
    guard !isStopping, queue.isEmpty else { return [] }
    let capacity = inProgress + batchSize <= limit && !isOutboxFull ? batchSize : 0
    if let askedAt, now - askedAt < .seconds(5), askedCapacity > 0 || capacity == 0 { return [] }
    askedAt = now
    askedCapacity = capacity
    return [.send(.workRequest(WorkRequest(capacity: capacity, held: started.union(deliveries.keys).sorted())))]
  }
}
