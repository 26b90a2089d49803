// A libzmq socket with one owner: it is created, used and closed on one thread. No method blocks: a full queue or an
// absent peer is a return value, and waiting is the task of the Poller.

package import Roles

internal import Threads
internal import CZeroMQ
internal import Glibc

package enum SendOutcome: Sendable, Equatable {
  /// The message is queued. Only an answer of the peer shows that it has arrived.
  case sent
  /// The queue is full, or no peer is connected: keep the message and try again later.
  case full
  /// The peer is not connected to this ROUTER.
  case unreachable
}

/// A messaging socket. Not `Sendable`: only the thread that created it may use it.
package struct Socket: ~Copyable {
  let handle: UnsafeMutableRawPointer
  private let context: Context
  private let kind: SocketKind
  private let maximumFrameBytes: Int
  private let news = SocketNews()
  private let isWatched = StopFlag()
  package let label: String

  /// Opens a socket that is neither bound nor connected.
  ///
  /// - Throws: `TransportError` if an option is refused or no descriptor is left.
  package init(_ context: Context, _ kind: SocketKind, options: SocketOptions = SocketOptions()) throws {
    guard let handle = zmq_socket(context.pointer, kind.code) else {
      throw TransportError.system(zmq_errno(), "could not open a \(kind) socket")
    }
    do { try options.apply(to: handle, kind) } catch {
      zmq_close(handle)
      throw error
    }
    self.handle = handle
    self.context = context
    self.kind = kind
    maximumFrameBytes = options.maximumFrameBytes
    label = "\(kind) socket"
  }

  deinit { zmq_close(handle) }

  /// Binds this socket.
  ///
  /// - Parameters:
  ///   - endpoint: For example `tcp://127.0.0.1:5555`. The port `*` takes any free one.
  ///   - roles: The roles that the endpoint accepts, if the context has keys. A publisher refuses connections of other
  ///     roles. A router accepts them, so that its owner can refuse their messages with a reason (see
  ///     `receiveFromPeer`).
  /// - Returns: The bound endpoint, with the actual port.
  /// - Throws: `TransportError` if the address is in use or malformed, or if other machines can reach it and there are
  ///   no keys.
  @discardableResult
  package func bind(_ endpoint: String, roles: Set<Role> = []) throws -> String {
    try Endpoint.requireAllowed(endpoint, context.security)
    if !Endpoint.isInternal(endpoint) {
      if case .keys(let ring) = context.security {
        let domain = kind == .router ? Authentication.anyRole : Authentication.domain(roles)
        if domain.isEmpty { fatalError("Socket.bind: \(endpoint): a context with keys needs the accepted roles") }
        try SocketOptions.setServerKeys(handle, own: ring.own, domain: domain)
      }
      try watch(endpoint, connects: false)
    }
    let result = sw_zmq_bind(handle, endpoint)
    guard result >= 0 else { throw TransportError.binding(endpoint, Int32(-result)) }
    var text = [CChar](repeating: 0, count: 1024)
    var size = text.count
    let found = sw_zmq_get(handle, ZMQ_LAST_ENDPOINT, &text, &size)
    guard found >= 0 else {
      throw TransportError.system(Int32(-found), "\(endpoint): could not read the bound endpoint")
    }
    return String(decoding: text.prefix(while: { $0 != 0 }).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Starts to connect, and reconnects whenever the connection is lost. Only an answer shows that there is a peer.
  ///
  /// - Parameter role: The role of the peer, whose key it must prove if the context has keys.
  /// - Throws: `TransportError` if the endpoint is malformed, if it is not on this machine and there are no keys, or if
  ///   the allow-list has no key of the role.
  package func connect(_ endpoint: String, to role: Role? = nil) throws {
    try Endpoint.requireAllowed(endpoint, context.security)
    if !Endpoint.isInternal(endpoint) {
      if case .keys(let ring) = context.security {
        guard let role else { fatalError("Socket.connect: \(endpoint): a context with keys needs the peer's role") }
        try SocketOptions.setClientKeys(handle, own: ring.own, server: ring.serverKey(role))
      }
      try watch(endpoint, connects: true)
    }
    let result = sw_zmq_connect(handle, endpoint)
    guard result >= 0 else { throw TransportError.malformed(endpoint, Int32(-result)) }
  }

  private func watch(_ endpoint: String, connects: Bool) throws {
    if isWatched.isSet { return }
    isWatched.set()
    try context.listen(handle, endpoint: endpoint, connects: connects, news: news)
  }

  /// Subscribes to all messages of the publishers. Throws `TransportError` if the socket is not a subscriber.
  package func subscribe() throws { try SocketOptions.set(handle, ZMQ_SUBSCRIBE, bytes: []) }

  /// Sends one message of one or more frames without waiting.
  ///
  /// - Throws: `TransportError` of kind `.tooLarge`, before anything is sent, or `.system`.
  package func send(_ frames: [[UInt8]]) throws -> SendOutcome {
    if frames.isEmpty { fatalError("Socket.send: a message needs at least one frame") }
    for frame in frames { try requireSendable(frame.count) }
    for (position, frame) in frames.enumerated() {
      let outcome = try send(frame, isLast: position + 1 == frames.count, position)
      if outcome != .sent { return outcome }
    }
    return .sent
  }

  /// Sends one message without waiting and without copying its last frame, which can be sent again. `address` are the
  /// frames before it, such as the identity of a peer. Throws the errors of `send(_:)`.
  package func send(_ body: Frame, to address: [[UInt8]] = []) throws -> SendOutcome {
    try requireSendable(body.count)
    for (position, frame) in address.enumerated() {
      let outcome = try send(frame, isLast: false, position)
      if outcome != .sent { return outcome }
    }
    var shared = zmq_msg_t()
    zmq_msg_init(&shared)
    zmq_msg_copy(&shared, body.message)
    let result = sw_zmq_send_message(handle, &shared, ZMQ_DONTWAIT)
    if result >= 0 { return .sent }
    zmq_msg_close(&shared)
    return try outcome(of: result, position: address.count)
  }

  private func requireSendable(_ byteCount: Int) throws {
    if byteCount <= maximumFrameBytes { return }
    throw TransportError(
      .tooLarge,
      "\(label): a frame of \(byteCount) bytes exceeds the limit of \(maximumFrameBytes) bytes. Raise "
        + "network.maximumMessageBytes for all roles.")
  }

  private func send(_ frame: [UInt8], isLast: Bool, _ position: Int) throws -> SendOutcome {
    let flags = ZMQ_DONTWAIT | (isLast ? 0 : ZMQ_SNDMORE)
    let result = frame.withUnsafeBytes { sw_zmq_send(handle, $0.baseAddress, $0.count, flags) }
    return try outcome(of: result, position: position)
  }

  /// Interprets the result of sending a frame. Only the first frame of a message can be declined.
  private func outcome(of result: Int, position: Int) throws -> SendOutcome {
    if result >= 0 { return .sent }
    switch Int32(-result) {
    case EAGAIN where position == 0: return .full
    case EHOSTUNREACH where position == 0: return .unreachable
    case let code: throw TransportError.system(code, "\(label): could not send frame \(position + 1)")
    }
  }

  /// Receives the next message; nil if there is none.
  ///
  /// - Throws: `TransportError` of kind `.refusedKey` if the peer refuses this process, or `.system`.
  package func receive() throws -> [[UInt8]]? { try receiveFromPeer()?.frames }

  /// Receives the next message and its sender; nil if there is none. Throws the errors of `receive()`.
  package func receiveFromPeer() throws -> Received? {
    if let refused = news.refused { throw TransportError(.refusedKey, refused) }
    var parts: [Frame] = []
    var sender = Sender.unknown
    var message = zmq_msg_t()
    zmq_msg_init(&message)
    defer { zmq_msg_close(&message) }
    while true {
      let result = sw_zmq_receive(handle, &message, ZMQ_DONTWAIT)
      if result < 0 {
        if -result == Int(EAGAIN), parts.isEmpty { return nil }
        throw TransportError.system(Int32(-result), "\(label): could not receive")
      }
      let isLast = zmq_msg_more(&message) == 0
      // The last frame is the payload. libzmq 4.3.4 may report a wrong user for the identity frame.
      if isLast, case .keys(let ring) = context.security, let user = zmq_msg_gets(&message, "User-Id") {
        sender = ring.entry(of: String(cString: user)).map { .known($0) } ?? .revoked
      }
      parts.append(Frame(taking: &message))
      if isLast { return Received(parts: parts, sender: sender) }
    }
  }
}
