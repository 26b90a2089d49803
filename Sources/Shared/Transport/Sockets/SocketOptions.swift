// Every limit of a socket, chosen here and never left to libzmq's defaults.

internal import CZeroMQ

/// A socket's limits and habits, set before it is bound or connected.
package struct SocketOptions: Sendable {
  /// How long a closed socket still tries to deliver, in milliseconds. Larger flushes more and delays the exit.
  package var lingerMilliseconds: Int32 = 1000
  /// Messages queued towards one peer before sending reports `.full`. Larger hides slow peers and takes memory.
  package var sendHighWaterMark: Int32 = 256
  /// Messages queued from one peer before that peer is held back.
  package var receiveHighWaterMark: Int32 = 256
  /// Bytes of the largest frame that is accepted or sent. A peer that sends more is disconnected.
  package var maximumFrameBytes: Int = 64 << 20
  /// The name under which a ROUTER knows this socket (at most 255 bytes); nil lets the ROUTER choose one. Use name
  /// and incarnation: the newest connection of a name replaces an older one.
  package var routingIdentity: String?
  /// First pause before a lost connection is tried again, in milliseconds; it doubles up to the next value.
  package var reconnectMilliseconds: Int32 = 100
  /// Longest pause between two attempts, in milliseconds.
  package var reconnectMaximumMilliseconds: Int32 = 2000
  /// Keep-alive of idle TCP connections, in milliseconds; the peer counts as gone after three of them. It finds dead
  /// machines, not stuck programs.
  package var heartbeatMilliseconds: Int32 = 5000
  /// Connections waiting to be accepted; larger bears a storm of actors starting together.
  package var backlog: Int32 = 1024

  /// The defaults above.
  package init() {}

  /// The defaults with a routing identity.
  package init(routingIdentity: String) { self.routingIdentity = routingIdentity }

  /// A libzmq socket with all of this set, or an error and no socket.
  func open(_ context: Context, _ kind: SocketKind) throws -> UnsafeMutableRawPointer {
    guard let handle = zmq_socket(context.pointer, kind.code) else {
      throw TransportError.system(zmq_errno(), "opening a \(kind) socket")
    }
    do {
      try apply(to: handle, kind)
      return handle
    } catch {
      zmq_close(handle)
      throw error
    }
  }

  private func apply(to handle: UnsafeMutableRawPointer, _ kind: SocketKind) throws {
    var settings: [(Int32, Int32)] = [
      (ZMQ_LINGER, lingerMilliseconds), (ZMQ_SNDHWM, sendHighWaterMark), (ZMQ_RCVHWM, receiveHighWaterMark),
      (ZMQ_RECONNECT_IVL, reconnectMilliseconds), (ZMQ_RECONNECT_IVL_MAX, reconnectMaximumMilliseconds),
      (ZMQ_HEARTBEAT_IVL, heartbeatMilliseconds), (ZMQ_HEARTBEAT_TIMEOUT, 3 * heartbeatMilliseconds),
      (ZMQ_HANDSHAKE_IVL, 5000), (ZMQ_BACKLOG, backlog),
    ]
    // A mandatory ROUTER reports a vanished peer instead of dropping; hand-over lets a reconnecting peer keep its name.
    if kind == .router { settings += [(ZMQ_ROUTER_MANDATORY, 1), (ZMQ_ROUTER_HANDOVER, 1)] }
    // A DEALER must not queue towards connections that never come about.
    if kind == .dealer { settings += [(ZMQ_IMMEDIATE, 1)] }
    for (option, value) in settings { try Self.set(handle, option, value) }
    // Under CURVE a frame is longer by its MAC, nonce and flags.
    try Self.set(handle, ZMQ_MAXMSGSIZE, Int64(maximumFrameBytes + Self.curveOverhead))
    if let routingIdentity { try Self.set(handle, ZMQ_ROUTING_ID, bytes: Array(routingIdentity.utf8.prefix(255))) }
  }

  private static let curveOverhead = 33

  /// Everybody who connects must prove a key that the authentication handler accepts for the domain; without a handler,
  /// or without a domain, nobody gets in.
  static func setServerKeys(_ handle: UnsafeMutableRawPointer, own: KeyPair, domain: String) throws {
    try set(handle, ZMQ_CURVE_SERVER, Int32(1))
    try set(handle, ZMQ_CURVE_SECRETKEY, bytes: Array(own.secretKey.utf8))
    try set(handle, ZMQ_ZAP_DOMAIN, bytes: Array(domain.utf8))
    try set(handle, SW_ZMQ_ZAP_ENFORCE_DOMAIN, Int32(1))
  }

  /// The peer must have the server key's secret half, and this side shows its own key.
  static func setClientKeys(_ handle: UnsafeMutableRawPointer, own: KeyPair, server: String) throws {
    try set(handle, ZMQ_CURVE_SERVERKEY, bytes: Array(server.utf8))
    try set(handle, ZMQ_CURVE_PUBLICKEY, bytes: Array(own.publicKey.utf8))
    try set(handle, ZMQ_CURVE_SECRETKEY, bytes: Array(own.secretKey.utf8))
  }

  static func set(_ handle: UnsafeMutableRawPointer, _ option: Int32, _ value: some FixedWidthInteger) throws {
    try set(handle, option, bytes: withUnsafeBytes(of: value) { Array($0) })
  }

  static func set(_ handle: UnsafeMutableRawPointer, _ option: Int32, bytes: [UInt8]) throws {
    let result = bytes.withUnsafeBytes { sw_zmq_set(handle, option, $0.baseAddress, $0.count) }
    guard result >= 0 else {
      throw TransportError.system(Int32(-result), "socket option \(option), \(bytes.count) bytes")
    }
  }
}
