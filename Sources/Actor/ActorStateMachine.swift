// An actor's dealings with the learner: hello, work, policies, deliveries. A pure value: no sockets, no clock. It
// promises that a group is kept until the learner has it on disk or wants it no more, that no more groups are under way
// than allowed, and that a batch is sampled only with the policy it was assigned.

internal import Configuration
internal import Messages

/// The protocol between one actor and the learner.
struct ActorStateMachine: Sendable {
  /// How far things have come.
  enum Phase: Sendable, Equatable {
    /// No answer yet, or none for too long.
    case greeting
    case working
    /// The learner has enough.
    case finished(String)
  }

  /// What the caller is to do.
  enum Effect: Sendable {
    case send(Message)
    /// Bind this policy, before any later batch.
    case bind(bytes: [UInt8], version: Int, tensorCount: Int?)
    /// Sample these, which share a policy.
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
  /// Known after the first welcome; a later one must agree.
  private(set) var run: RunIdentity?
  private var notice: PolicyNotice?
  private var download: PolicyDownload?
  private var chunkAskedAt = Duration.zero
  /// The policy that the sampler has, or was sent.
  private var boundVersion: Int?
  /// Assigned, not yet given to the sampler.
  private var queue: [Assignment] = []
  /// Being sampled or scored.
  private var started: Set<Int> = []
  private var isSampling = false
  /// Sent or to be sent, and not acknowledged.
  private var deliveries: [Int: Delivery] = [:]
  private var lastHeard = Duration.zero
  private var nextHello = Duration.zero
  private var askedAt: Duration?
  private var askedCapacity = 0
  /// Hellos said since the first refusal; nil: welcome.
  private var refusedHellos: Int?
  private var isStopping = false

  init(_ options: ActorOptions, modelHash: String) {
    self.options = options
    self.modelHash = modelHash
  }

  /// Groups under way: sampled, scored, or waiting for an acknowledgement.
  var underWay: Int { started.count + deliveries.count }
  /// Groups that wait for an acknowledgement.
  var undelivered: Int { deliveries.count }
  /// Bytes of their states; everything else in a group is little beside them.
  var undeliveredBytes: Int { deliveries.values.reduce(0) { $0 + $1.byteCount } }
  /// Groups being sampled or scored.
  var unfinished: Int { started.count }

  /// The learner sent something.
  ///
  /// - Throws: `ActorError` when this actor cannot go on.
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

  /// A batch has been sampled; its groups are being scored now.
  mutating func sampled() { isSampling = false }

  /// A group has its scores: it is delivered, and kept until it is acknowledged.
  mutating func deliver(_ group: TrajectoryGroup, now: Duration) -> [Effect] {
    started.remove(group.number)
    deliveries[group.number] = Delivery(group: group, sentAt: now)
    return phase == .working ? [.send(.group(group))] : []
  }

  /// Begins no more work.
  mutating func stop() {
    isStopping = true
    queue = []
  }

  /// A group waits for an acknowledgement still.
  func awaits(_ number: Int) -> Bool { deliveries[number] != nil }

  /// Time has passed: what is due is said, or said again.
  mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    if case .finished = phase { return [] }
    if phase == .working, now - lastHeard > .seconds(options.network.silenceLimit) {
      greetAgain()
      effects.append(.note("the learner has been silent for \(Int(options.network.silenceLimit)) s"))
    }
    if now >= nextHello {
      // The first ones may find nobody connected yet.
      let interval = options.network.heartbeatInterval
      nextHello = now + .seconds(run == nil ? min(interval, 0.5) : interval)
      // A hello is also the sign of life: its answer names the newest policy, and a learner that was restarted
      // meanwhile learns who this is.
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

  /// Groups that may be under way; two batches at least, so that one can be sampled while another is scored.
  private var limit: Int { max(options.network.undeliveredGroups, 2 * batchSize) }
  private var batchSize: Int { options.configuration.sampling.batchSize }
  /// Sampling pauses: the learner has not taken as many bytes as may wait for it.
  private var isOutboxFull: Bool { undeliveredBytes >= options.network.undeliveredBytes }

  private var hello: Hello {
    Hello(
      role: .actor, runID: run?.id ?? "", modelHash: modelHash, name: options.name, incarnation: options.incarnation)
  }

  private mutating func greetAgain() {
    phase = .greeting
    forgetPlans()
  }

  /// The learner may have been restarted and gone back to its checkpoint: work not begun and policies are asked for
  /// anew. What is made already is delivered all the same; the learner knows what it has.
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
        "\(options.network.learner): expected run \(run?.id ?? ""), found run \(identity.id). Another learner took the "
          + "endpoint; start this actor again to join it.")
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
    // Whatever was under way when the learner fell silent is said again now, not only after the usual pause.
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
      return [.note("the learner does not want groups \(refusal.numbers): \(refusal.reason)")]
    }
    // A learner that was restarted refuses what it gets before the next hello; only if hellos do not help is it final.
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
          "policy \(chunk.version): announced with SHA-256 \(notice.digest), sent with \(proven.digest). Two learners "
            + "seem to share this endpoint; stop one.")
      }
      tensorCount = notice.tensorCount
    }
    return [.bind(bytes: proven.bytes, version: chunk.version, tensorCount: tensorCount)]
  }

  private func request(_ download: PolicyDownload) -> PolicyRequest {
    PolicyRequest(version: download.version, offset: download.offset, byteCount: options.network.policyChunkBytes)
  }

  /// Gives the sampler its next batch, or fetches the policy that the batch needs.
  private mutating func startWork(now: Duration) -> [Effect] {
    // With nothing to sample the newest policy is fetched ahead of the work it is for.
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
    guard underWay + batch.count <= limit, !isOutboxFull else { return [] }
    queue.removeFirst(batch.count)
    started.formUnion(batch.map(\.number))
    isSampling = true
    return [.sample(Array(batch))]
  }

  /// Asks for a batch once there is none left; asking again renews the leases of what is under way.
  private mutating func askForWork(now: Duration) -> [Effect] {
    guard !isStopping, queue.isEmpty else { return [] }
    let capacity = underWay + batchSize <= limit && !isOutboxFull ? batchSize : 0
    if let askedAt, now - askedAt < .seconds(5), askedCapacity > 0 || capacity == 0 { return [] }
    askedAt = now
    askedCapacity = capacity
    return [.send(.workRequest(WorkRequest(capacity: capacity, held: started.union(deliveries.keys).sorted())))]
  }
}
