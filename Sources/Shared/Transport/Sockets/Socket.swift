// One libzmq socket with one owner: made, used and closed on one thread. Nothing here ever blocks: a full or absent
// peer is a value, and waiting is the Poller's. Every limit is set (see SocketOptions).

package import Threads
internal import CZeroMQ
internal import Glibc

/// The pattern a socket takes part in.
package enum SocketKind: Sendable {
  /// Addresses each peer by the first frame of a message; refuses to send to a peer that is gone.
  case router
  /// Talks to a ROUTER, or to several in turn.
  case dealer
  /// Sends to every subscriber, losing what a slow one cannot take.
  case publisher
  /// Receives from publishers what it subscribed to.
  case subscriber
  /// Exactly one peer.
  case pair

  var code: Int32 {
    switch self {
    case .router: ZMQ_ROUTER
    case .dealer: ZMQ_DEALER
    case .publisher: ZMQ_PUB
    case .subscriber: ZMQ_SUB
    case .pair: ZMQ_PAIR
    }
  }
}

/// What became of a message handed to `Socket.send`.
package enum SendOutcome: Sendable, Equatable {
  /// Queued towards the peer. It says nothing about arrival: only the peer's own answer does.
  case sent
  /// The peer's queue is full, or nobody is connected: keep the message and try again later.
  case full
  /// A ROUTER knows no such peer (any more).
  case unreachable
}

/// A messaging socket. Not `Sendable`: the thread that made it is the only one to touch it.
package struct Socket: ~Copyable {
  let handle: UnsafeMutableRawPointer
  private let context: Context
  private let kind: SocketKind
  private let maximumFrameBytes: Int
  private let news = SocketNews()
  private let isWatched = StopFlag()
  /// Names this socket in errors.
  package let label: String

  /// Makes a socket that is neither bound nor connected.
  ///
  /// - Throws: `TransportError` when a limit is refused or no descriptor is left.
  package init(_ context: Context, _ kind: SocketKind, options: SocketOptions = SocketOptions()) throws {
    handle = try options.open(context, kind)
    self.context = context
    self.kind = kind
    maximumFrameBytes = options.maximumFrameBytes
    label = "\(kind) socket"
  }

  deinit { zmq_close(handle) }

  /// Opens this socket to peers.
  ///
  /// - Parameters:
  ///   - endpoint: as `tcp://127.0.0.1:5555`; port `*` takes any free one.
  ///   - roles: whose keys have business here, where the context has keys. A publisher refuses others' connections; a
  ///     router accepts them, for its owner to refuse their messages with a reason (see `receiveFromPeer`).
  /// - Returns: the endpoint as bound, with the real port.
  /// - Throws: `TransportError` when the address is in use, malformed, or open to others without keys.
  @discardableResult
  package func bind(_ endpoint: String, roles: Set<KeyRole> = []) throws -> String {
    try Endpoint.requireAllowed(endpoint, context.security)
    if !Endpoint.isInternal(endpoint) {
      if case .keys(let ring) = context.security {
        let domain = kind == .router ? Authentication.anyRole : Authentication.domain(roles)
        check(!domain.isEmpty, "Socket.bind: \(endpoint): a context with keys needs the roles that have business there")
        try SocketOptions.setServerKeys(handle, own: ring.own, domain: domain)
      }
      try watch(endpoint, connects: false)
    }
    let result = sw_zmq_bind(handle, endpoint)
    guard result >= 0 else { throw TransportError.binding(endpoint, Int32(-result)) }
    var text = [CChar](repeating: 0, count: 1024)
    var size = text.count
    let found = sw_zmq_get(handle, ZMQ_LAST_ENDPOINT, &text, &size)
    guard found >= 0 else { throw TransportError.system(Int32(-found), "reading the bound endpoint of \(endpoint)") }
    return String(decoding: text.prefix(while: { $0 != 0 }).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Starts connecting, and reconnecting for ever after; whether anybody is there shows only in answers.
  ///
  /// - Parameter role: the peer's, which chooses the key that it must prove to have, where the context has keys.
  /// - Throws: `TransportError` when the endpoint is malformed, beyond this machine without keys, or the list has no
  ///   key of that role.
  package func connect(_ endpoint: String, to role: KeyRole? = nil) throws {
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

  /// Ends a connection made by `connect`.
  ///
  /// - Throws: `TransportError` when there is no such connection.
  package func disconnect(_ endpoint: String) throws {
    let result = sw_zmq_disconnect(handle, endpoint)
    guard result >= 0 else { throw TransportError.malformed(endpoint, Int32(-result)) }
  }

  /// Asks publishers for messages whose first frame begins with `prefix`; all of them when empty.
  ///
  /// - Throws: `TransportError` on a socket that is no subscriber.
  package func subscribe(_ prefix: String = "") throws {
    try SocketOptions.set(handle, ZMQ_SUBSCRIBE, bytes: Array(prefix.utf8))
  }

  /// Hands over one message of one or more frames without waiting.
  ///
  /// - Throws: `TransportError` of kind `.tooLarge` before anything is sent, or `.system`.
  package func send(_ frames: [[UInt8]]) throws -> SendOutcome {
    check(!frames.isEmpty, "Socket.send: a message needs at least one frame")
    for frame in frames { try requireSendable(frame.count) }
    for (position, frame) in frames.enumerated() {
      let outcome = try send(frame, isLast: position + 1 == frames.count, position)
      if outcome != .sent { return outcome }
    }
    return .sent
  }

  func requireSendable(_ byteCount: Int) throws {
    if byteCount <= maximumFrameBytes { return }
    throw TransportError(
      .tooLarge,
      "\(label): expected frames of at most \(maximumFrameBytes) bytes, found one of \(byteCount). Send it in pieces.")
  }

  /// Hands over a copy of one frame.
  func send(_ frame: [UInt8], isLast: Bool, _ position: Int) throws -> SendOutcome {
    let flags = ZMQ_DONTWAIT | (isLast ? 0 : ZMQ_SNDMORE)
    let result = frame.withUnsafeBytes { sw_zmq_send(handle, $0.baseAddress, $0.count, flags) }
    return try outcome(of: result, position: position)
  }

  /// What the result of handing over a frame means. Only the first can be declined: the others follow it.
  func outcome(of result: Int, position: Int) throws -> SendOutcome {
    if result >= 0 { return .sent }
    switch Int32(-result) {
    case EAGAIN where position == 0: return .full
    case EHOSTUNREACH where position == 0: return .unreachable
    case let code: throw TransportError.system(code, "\(label): sending frame \(position + 1)")
    }
  }

  /// Takes the next whole message, or nil when none has come yet.
  ///
  /// - Throws: `TransportError` of kind `.refusedKey` when the peer will have nothing to do with this process, or
  ///   `.system`.
  package func receive() throws -> [[UInt8]]? { try receiveFromPeer()?.frames }

  /// Takes the next whole message and who sent it, or nil when none has come yet.
  ///
  /// - Throws: as `receive`.
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
        throw TransportError.system(Int32(-result), "\(label): receiving")
      }
      let isLast = zmq_msg_more(&message) == 0
      // The last frame is the payload; libzmq 4.3.4 may name a wrong user on the identity's.
      if isLast, case .keys(let ring) = context.security, let user = zmq_msg_gets(&message, "User-Id") {
        sender = ring.entry(of: String(cString: user)).map { .known($0) } ?? .revoked
      }
      parts.append(Frame(taking: &message))
      if isLast { return Received(parts: parts, sender: sender) }
    }
  }
}

/// Who sent a message, as far as keys tell.
package enum Sender: Sendable, Equatable {
  /// The context has no keys, or the message came from this very process.
  case unknown
  /// The holder of this key.
  case known(AllowedKey)
  /// Its key was taken off the list after it had connected.
  case revoked

  /// Why this sender has no business where only some roles have; nil: it has.
  package func objection(roles: Set<KeyRole>) -> String? {
    switch self {
    case .unknown: nil
    case .known(let key) where roles.contains(key.role): nil
    case .known(let key):
      "expected a key of the role \(roles.map(\.name).sorted().joined(separator: " or ")), found that of \(key.name), "
        + "whose role is \(key.role.name); give the process the key of its own role"
    case .revoked: "the key of this peer was revoked"
    }
  }
}

/// A message and its sender.
package struct Received: Sendable {
  /// The frames as libzmq holds them; at a ROUTER the first is the peer's routing identity.
  package let parts: [Frame]
  /// Who sent them.
  package let sender: Sender
  /// Copies of the frames.
  package var frames: [[UInt8]] { parts.map(\.bytes) }
}

func check(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fatalError(message()) }
}
