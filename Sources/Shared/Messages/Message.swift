// A message is one frame on the wire: an Envelope of stepwise.v1 that holds exactly one kind. Decoding bytes of any
// origin gives a checked value or an error that names the peer and the field; it never takes more memory than the
// bytes explain.

internal import CMessages
internal import Engine

/// One message of the protocol.
package enum Message: Sendable {
  /// Actor to learner, reward server to router: who I am.
  case hello(Hello)
  /// Learner to actor: come in.
  case welcome(Welcome)
  /// Anybody to anybody: not so.
  case refusal(Refusal)
  /// Anybody to anybody: alive.
  case heartbeat(Heartbeat)
  /// Anybody to anybody: leaving.
  case goodbye(Goodbye)
  /// Actor to learner: give me work.
  case workRequest(WorkRequest)
  /// Learner to actor: make these.
  case work(Work)
  /// Learner to actor: nothing more is wanted.
  case runFinished(RunFinished)
  /// Actor to learner: a made group.
  case group(TrajectoryGroup)
  /// Learner to actor: on disk.
  case acknowledgement(Acknowledgement)
  /// Learner to actors: a new policy.
  case policyNotice(PolicyNotice)
  /// Actor to learner: a part of a policy, please.
  case policyRequest(PolicyRequest)
  /// Learner to actor: that part.
  case policyChunk(PolicyChunk)
  /// Actor to router to reward server: score these.
  case scoreRequest(ScoreRequest)
  /// Reward server to router to actor: the scores.
  case scoreReply(ScoreReply)
  /// Reward server to router: I score these rewards, this many at once.
  case serverReady(ServerReady)
  /// Actor or learner to router: which rewards are there?
  case rewardsQuery(RewardsQuery)
  /// Router to actor or learner: these.
  case rewardsOffered(RewardsOffered)

  /// Most bytes in a message; senders split what is larger, and sockets refuse it.
  package static let largestByteCount = 256 << 20
  /// Most bytes of a policy in one chunk.
  package static let policyChunkByteCount = 1 << 20

  /// The bytes of a frame.
  ///
  /// Stops the program when they would be more than `largestByteCount`.
  package func encode() -> [UInt8] {
    withEncoding { count, write in
      [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        write(UnsafeMutableRawBufferPointer(buffer))
        written = count
      }
    }
  }

  /// Writes the bytes of a frame to where the caller wants them, such as a frame's own memory.
  ///
  /// Stops the program when they would be more than `largestByteCount`.
  ///
  /// - Parameter body: is told how many bytes there are, and what writes them into a buffer of that size.
  package func withEncoding<Result>(
    _ body: (_ byteCount: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) throws -> Result
  ) rethrows -> Result {
    // Pictures are the most of a message that has them: they are packed from where they are.
    if case .scoreRequest(let request) = self, case .bytes(let images) = request.images {
      return try images.pixels.withUnsafeBytes { try encode(in: Arena(pixels: $0), body) }
    }
    return try encode(in: Arena(), body)
  }

  private func encode<Result>(
    in arena: Arena, _ body: (Int, (UnsafeMutableRawBufferPointer) -> Void) throws -> Result
  ) rethrows -> Result {
    try withExtendedLifetime(arena) {
      let envelope = packed(in: arena)
      let count = stepwise__v1__envelope__get_packed_size(envelope)
      check(
        count <= Self.largestByteCount, "\(name): \(count) bytes exceed the largest message, \(Self.largestByteCount)")
      return try body(count) { buffer in
        check(buffer.count >= count, "\(name): \(count) bytes do not fit into \(buffer.count)")
        stepwise__v1__envelope__pack(envelope, buffer.assumingMemoryBound(to: UInt8.self).baseAddress)
      }
    }
  }

  /// Reads a frame.
  ///
  /// - Parameters:
  ///   - bytes: the frame.
  ///   - peer: who sent it, for errors.
  /// - Throws: `MessageError` when the bytes are no valid message.
  package init(decoding bytes: [UInt8], from peer: String) throws {
    self = try bytes.withUnsafeBytes { try Message(decoding: $0, from: peer) }
  }

  /// Reads a frame that lies in memory of somebody else's.
  ///
  /// - Throws: `MessageError` when the bytes are no valid message.
  package init(decoding bytes: UnsafeRawBufferPointer, from peer: String) throws {
    guard bytes.count <= Self.largestByteCount else {
      throw MessageError(
        peer: peer, field: "", problem: "expected at most \(Self.largestByteCount) bytes, found \(bytes.count)")
    }
    var budget = Budget(forMessageOf: bytes.count)
    let message: Message? = try budget.withAllocator { allocator in
      let first = bytes.bindMemory(to: UInt8.self).baseAddress
      guard let envelope = stepwise__v1__envelope__unpack(allocator, bytes.count, first) else { return nil }
      defer { stepwise__v1__envelope__free_unpacked(envelope, allocator) }
      return try Message(envelope.pointee, FieldPath(peer: peer, path: ""))
    }
    guard let message else {
      throw MessageError(
        peer: peer, field: "",
        problem: budget.isExceeded
          ? "\(bytes.count) bytes would unpack to more memory than a message of this size may take"
          : "expected an Envelope of stepwise.v1, found \(bytes.count) bytes that are none; "
            + "is the peer another program, or another release of Stepwise?")
    }
    self = message
  }

  /// The kind's field in the envelope, for logs and errors.
  package var name: String {
    switch self {
    case .hello: "hello"
    case .welcome: "welcome"
    case .refusal: "refusal"
    case .heartbeat: "heartbeat"
    case .goodbye: "goodbye"
    case .workRequest: "work_request"
    case .work: "work"
    case .runFinished: "run_finished"
    case .group: "trajectory_group"
    case .acknowledgement: "acknowledgement"
    case .policyNotice: "policy_notice"
    case .policyRequest: "policy_request"
    case .policyChunk: "policy_chunk"
    case .scoreRequest: "score_request"
    case .scoreReply: "score_reply"
    case .serverReady: "server_ready"
    case .rewardsQuery: "rewards_query"
    case .rewardsOffered: "rewards_offered"
    }
  }
}

extension Message: Coded {
  init(_ message: Stepwise__V1__Envelope, _ place: FieldPath) throws {
    switch message.kind_case {
    case STEPWISE__V1__ENVELOPE__KIND_HELLO: self = .hello(try place.required(message.hello, "hello"))
    case STEPWISE__V1__ENVELOPE__KIND_WELCOME: self = .welcome(try place.required(message.welcome, "welcome"))
    case STEPWISE__V1__ENVELOPE__KIND_REFUSAL: self = .refusal(try place.required(message.refusal, "refusal"))
    case STEPWISE__V1__ENVELOPE__KIND_HEARTBEAT: self = .heartbeat(try place.required(message.heartbeat, "heartbeat"))
    case STEPWISE__V1__ENVELOPE__KIND_GOODBYE: self = .goodbye(try place.required(message.goodbye, "goodbye"))
    case STEPWISE__V1__ENVELOPE__KIND_WORK_REQUEST:
      self = .workRequest(try place.required(message.work_request, "work_request"))
    case STEPWISE__V1__ENVELOPE__KIND_WORK: self = .work(try place.required(message.work, "work"))
    case STEPWISE__V1__ENVELOPE__KIND_RUN_FINISHED:
      self = .runFinished(try place.required(message.run_finished, "run_finished"))
    case STEPWISE__V1__ENVELOPE__KIND_TRAJECTORY_GROUP:
      self = .group(try place.required(message.trajectory_group, "trajectory_group"))
    case STEPWISE__V1__ENVELOPE__KIND_ACKNOWLEDGEMENT:
      self = .acknowledgement(try place.required(message.acknowledgement, "acknowledgement"))
    case STEPWISE__V1__ENVELOPE__KIND_POLICY_NOTICE:
      self = .policyNotice(try place.required(message.policy_notice, "policy_notice"))
    case STEPWISE__V1__ENVELOPE__KIND_POLICY_REQUEST:
      self = .policyRequest(try place.required(message.policy_request, "policy_request"))
    case STEPWISE__V1__ENVELOPE__KIND_POLICY_CHUNK:
      self = .policyChunk(try place.required(message.policy_chunk, "policy_chunk"))
    case STEPWISE__V1__ENVELOPE__KIND_SCORE_REQUEST:
      self = .scoreRequest(try place.required(message.score_request, "score_request"))
    case STEPWISE__V1__ENVELOPE__KIND_SCORE_REPLY:
      self = .scoreReply(try place.required(message.score_reply, "score_reply"))
    case STEPWISE__V1__ENVELOPE__KIND_SERVER_READY:
      self = .serverReady(try place.required(message.server_ready, "server_ready"))
    case STEPWISE__V1__ENVELOPE__KIND_REWARDS_QUERY:
      self = .rewardsQuery(try place.required(message.rewards_query, "rewards_query"))
    case STEPWISE__V1__ENVELOPE__KIND_REWARDS_OFFERED:
      self = .rewardsOffered(try place.required(message.rewards_offered, "rewards_offered"))
    default:
      throw MessageError(
        peer: place.peer, field: "kind",
        problem: "expected one of the kinds of stepwise.v1, found none; is the peer another release of Stepwise?")
    }
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Envelope> {
    let envelope = arena.make(stepwise__v1__envelope__init)
    func set<Kind: Coded>(
      _ kind: Stepwise__V1__Envelope__KindCase, _ message: Kind,
      _ field: WritableKeyPath<Stepwise__V1__Envelope, UnsafeMutablePointer<Kind.Struct>?>
    ) {
      envelope.pointee.kind_case = kind
      envelope.pointee[keyPath: field] = message.packed(in: arena)
    }
    switch self {
    case .hello(let message): set(STEPWISE__V1__ENVELOPE__KIND_HELLO, message, \.hello)
    case .welcome(let message): set(STEPWISE__V1__ENVELOPE__KIND_WELCOME, message, \.welcome)
    case .refusal(let message): set(STEPWISE__V1__ENVELOPE__KIND_REFUSAL, message, \.refusal)
    case .heartbeat(let message): set(STEPWISE__V1__ENVELOPE__KIND_HEARTBEAT, message, \.heartbeat)
    case .goodbye(let message): set(STEPWISE__V1__ENVELOPE__KIND_GOODBYE, message, \.goodbye)
    case .workRequest(let message): set(STEPWISE__V1__ENVELOPE__KIND_WORK_REQUEST, message, \.work_request)
    case .work(let message): set(STEPWISE__V1__ENVELOPE__KIND_WORK, message, \.work)
    case .runFinished(let message): set(STEPWISE__V1__ENVELOPE__KIND_RUN_FINISHED, message, \.run_finished)
    case .group(let message): set(STEPWISE__V1__ENVELOPE__KIND_TRAJECTORY_GROUP, message, \.trajectory_group)
    case .acknowledgement(let message): set(STEPWISE__V1__ENVELOPE__KIND_ACKNOWLEDGEMENT, message, \.acknowledgement)
    case .policyNotice(let message): set(STEPWISE__V1__ENVELOPE__KIND_POLICY_NOTICE, message, \.policy_notice)
    case .policyRequest(let message): set(STEPWISE__V1__ENVELOPE__KIND_POLICY_REQUEST, message, \.policy_request)
    case .policyChunk(let message): set(STEPWISE__V1__ENVELOPE__KIND_POLICY_CHUNK, message, \.policy_chunk)
    case .scoreRequest(let message): set(STEPWISE__V1__ENVELOPE__KIND_SCORE_REQUEST, message, \.score_request)
    case .scoreReply(let message): set(STEPWISE__V1__ENVELOPE__KIND_SCORE_REPLY, message, \.score_reply)
    case .serverReady(let message): set(STEPWISE__V1__ENVELOPE__KIND_SERVER_READY, message, \.server_ready)
    case .rewardsQuery(let message): set(STEPWISE__V1__ENVELOPE__KIND_REWARDS_QUERY, message, \.rewards_query)
    case .rewardsOffered(let message): set(STEPWISE__V1__ENVELOPE__KIND_REWARDS_OFFERED, message, \.rewards_offered)
    }
    return envelope
  }
}
