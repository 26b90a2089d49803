// Encoding and decoding of whole messages. The memory that decoding takes is bounded by the number of bytes (see
// Budget.swift).

internal import CMessages
internal import Engine

extension Message {
  /// The bytes of a frame. Stops the program if there are more than `largestByteCount`.
  package func encode() -> [UInt8] {
    withEncoding { count, write in
      [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        write(UnsafeMutableRawBufferPointer(buffer))
        written = count
      }
    }
  }

  /// Writes the bytes of a frame into memory of the caller, such as that of a `Frame`.
  ///
  /// Stops the program if there are more than `largestByteCount`.
  ///
  /// - Parameter body: Receives the number of bytes, and a function that writes them into a buffer of that size.
  package func withEncoding<Result>(
    _ body: (_ byteCount: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) throws -> Result
  ) rethrows -> Result {
    // Images are most of the message, so they are packed without a copy.
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
      let count = stepwise__envelope__get_packed_size(envelope)
      check(
        count <= Self.largestByteCount, "\(name): \(count) bytes exceed the largest message, \(Self.largestByteCount)")
      return try body(count) { buffer in
        check(buffer.count >= count, "\(name): \(count) bytes do not fit into \(buffer.count)")
        stepwise__envelope__pack(envelope, buffer.assumingMemoryBound(to: UInt8.self).baseAddress)
      }
    }
  }

  /// Reads a frame. `peer` names the sender in errors. Throws `MessageError` if the bytes are not a valid message.
  package init(decoding bytes: [UInt8], from peer: String) throws {
    self = try bytes.withUnsafeBytes { try Message(decoding: $0, from: peer) }
  }

  /// Reads a frame from memory that the caller owns.
  package init(decoding bytes: UnsafeRawBufferPointer, from peer: String) throws {
    guard bytes.count <= Self.largestByteCount else {
      throw MessageError(
        peer: peer, field: "", problem: "expected at most \(Self.largestByteCount) bytes, found \(bytes.count)")
    }
    var budget = Budget(forMessageOf: bytes.count)
    let message: Message? = try budget.withAllocator { allocator in
      let first = bytes.bindMemory(to: UInt8.self).baseAddress
      guard let envelope = stepwise__envelope__unpack(allocator, bytes.count, first) else { return nil }
      defer { stepwise__envelope__free_unpacked(envelope, allocator) }
      return try Message(envelope.pointee, FieldPath(peer: peer, path: ""))
    }
    guard let message else {
      throw MessageError(
        peer: peer, field: "",
        problem: budget.isExceeded
          ? "\(bytes.count) bytes would unpack to more memory than a message of this size may take"
          : "expected a message of Stepwise, found \(bytes.count) bytes that are none; "
            + "check that the peer is Stepwise, of the same release")
    }
    self = message
  }
}

extension Message: Coded {
  init(_ message: Stepwise__Envelope, _ path: FieldPath) throws {
    switch message.kind_case {
    case STEPWISE__ENVELOPE__KIND_HELLO: self = .hello(try path.required(message.hello, "hello"))
    case STEPWISE__ENVELOPE__KIND_WELCOME: self = .welcome(try path.required(message.welcome, "welcome"))
    case STEPWISE__ENVELOPE__KIND_REFUSAL: self = .refusal(try path.required(message.refusal, "refusal"))
    case STEPWISE__ENVELOPE__KIND_HEARTBEAT: self = .heartbeat(try path.required(message.heartbeat, "heartbeat"))
    case STEPWISE__ENVELOPE__KIND_GOODBYE: self = .goodbye(try path.required(message.goodbye, "goodbye"))
    case STEPWISE__ENVELOPE__KIND_WORK_REQUEST:
      self = .workRequest(try path.required(message.work_request, "work_request"))
    case STEPWISE__ENVELOPE__KIND_WORK: self = .work(try path.required(message.work, "work"))
    case STEPWISE__ENVELOPE__KIND_RUN_FINISHED:
      self = .runFinished(try path.required(message.run_finished, "run_finished"))
    case STEPWISE__ENVELOPE__KIND_TRAJECTORY_GROUP:
      self = .group(try path.required(message.trajectory_group, "trajectory_group"))
    case STEPWISE__ENVELOPE__KIND_ACKNOWLEDGEMENT:
      self = .acknowledgement(try path.required(message.acknowledgement, "acknowledgement"))
    case STEPWISE__ENVELOPE__KIND_POLICY_NOTICE:
      self = .policyNotice(try path.required(message.policy_notice, "policy_notice"))
    case STEPWISE__ENVELOPE__KIND_POLICY_REQUEST:
      self = .policyRequest(try path.required(message.policy_request, "policy_request"))
    case STEPWISE__ENVELOPE__KIND_POLICY_CHUNK:
      self = .policyChunk(try path.required(message.policy_chunk, "policy_chunk"))
    case STEPWISE__ENVELOPE__KIND_SCORE_REQUEST:
      self = .scoreRequest(try path.required(message.score_request, "score_request"))
    case STEPWISE__ENVELOPE__KIND_SCORE_REPLY:
      self = .scoreReply(try path.required(message.score_reply, "score_reply"))
    case STEPWISE__ENVELOPE__KIND_SERVER_READY:
      self = .serverReady(try path.required(message.server_ready, "server_ready"))
    case STEPWISE__ENVELOPE__KIND_REWARDS_QUERY:
      self = .rewardsQuery(try path.required(message.rewards_query, "rewards_query"))
    case STEPWISE__ENVELOPE__KIND_REWARDS_OFFERED:
      self = .rewardsOffered(try path.required(message.rewards_offered, "rewards_offered"))
    default:
      throw MessageError(
        peer: path.peer, field: "kind",
        problem: "the message has no known kind; check that the peer is of the same release of Stepwise")
    }
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Envelope> {
    let envelope = arena.make(stepwise__envelope__init)
    func set<Kind: Coded>(
      _ kind: Stepwise__Envelope__KindCase, _ message: Kind,
      _ field: WritableKeyPath<Stepwise__Envelope, UnsafeMutablePointer<Kind.Struct>?>
    ) {
      envelope.pointee.kind_case = kind
      envelope.pointee[keyPath: field] = message.packed(in: arena)
    }
    switch self {
    case .hello(let message): set(STEPWISE__ENVELOPE__KIND_HELLO, message, \.hello)
    case .welcome(let message): set(STEPWISE__ENVELOPE__KIND_WELCOME, message, \.welcome)
    case .refusal(let message): set(STEPWISE__ENVELOPE__KIND_REFUSAL, message, \.refusal)
    case .heartbeat(let message): set(STEPWISE__ENVELOPE__KIND_HEARTBEAT, message, \.heartbeat)
    case .goodbye(let message): set(STEPWISE__ENVELOPE__KIND_GOODBYE, message, \.goodbye)
    case .workRequest(let message): set(STEPWISE__ENVELOPE__KIND_WORK_REQUEST, message, \.work_request)
    case .work(let message): set(STEPWISE__ENVELOPE__KIND_WORK, message, \.work)
    case .runFinished(let message): set(STEPWISE__ENVELOPE__KIND_RUN_FINISHED, message, \.run_finished)
    case .group(let message): set(STEPWISE__ENVELOPE__KIND_TRAJECTORY_GROUP, message, \.trajectory_group)
    case .acknowledgement(let message): set(STEPWISE__ENVELOPE__KIND_ACKNOWLEDGEMENT, message, \.acknowledgement)
    case .policyNotice(let message): set(STEPWISE__ENVELOPE__KIND_POLICY_NOTICE, message, \.policy_notice)
    case .policyRequest(let message): set(STEPWISE__ENVELOPE__KIND_POLICY_REQUEST, message, \.policy_request)
    case .policyChunk(let message): set(STEPWISE__ENVELOPE__KIND_POLICY_CHUNK, message, \.policy_chunk)
    case .scoreRequest(let message): set(STEPWISE__ENVELOPE__KIND_SCORE_REQUEST, message, \.score_request)
    case .scoreReply(let message): set(STEPWISE__ENVELOPE__KIND_SCORE_REPLY, message, \.score_reply)
    case .serverReady(let message): set(STEPWISE__ENVELOPE__KIND_SERVER_READY, message, \.server_ready)
    case .rewardsQuery(let message): set(STEPWISE__ENVELOPE__KIND_REWARDS_QUERY, message, \.rewards_query)
    case .rewardsOffered(let message): set(STEPWISE__ENVELOPE__KIND_REWARDS_OFFERED, message, \.rewards_offered)
    }
    return envelope
  }
}
