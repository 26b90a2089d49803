// The options of a socket. Every limit is set explicitly instead of relying on the defaults of libzmq.

internal import CZeroMQ

package struct SocketOptions: Sendable {
  /// Time for which a closed socket still tries to send queued messages, in milliseconds. Larger values delay the exit.
  package var lingerMilliseconds: Int32 = 1000
  /// Number of messages queued for one peer before sending reports `.full`. Larger values hide slow peers and take
  /// memory.
  package var sendHighWaterMark: Int32 = 256
  /// Number of received messages queued for one peer before the peer must wait.
  package var receiveHighWaterMark: Int32 = 256
  /// Size of the largest frame that is sent or received, in bytes. A peer that sends a larger one is disconnected.
  package var maximumFrameBytes: Int = 64 << 20
  /// The identity of this socket at a ROUTER (at most 255 bytes); nil lets the ROUTER choose one. Use the name and the
  /// incarnation: the newest connection of an identity replaces an older one.
  package var routingIdentity: String?
  /// First pause before a lost connection is retried, in milliseconds. It doubles up to `reconnectMaximumMilliseconds`.
  package var reconnectMilliseconds: Int32 = 100
  /// Longest pause before a lost connection is retried, in milliseconds.
  package var reconnectMaximumMilliseconds: Int32 = 2000
  /// Interval of ZMTP heartbeats on idle connections, in milliseconds. A connection is closed after three intervals
  /// without an answer. This detects dead machines, but not stuck programs.
  package var heartbeatMilliseconds: Int32 = 5000
  /// Number of connections that wait to be accepted. Larger values help when many actors start at the same time.
  package var backlog: Int32 = 1024

  package init() {}

  package init(routingIdentity: String) { self.routingIdentity = routingIdentity }

  func apply(to handle: UnsafeMutableRawPointer, _ kind: SocketKind) throws {
    var settings: [(Int32, Int32)] = [
      (ZMQ_LINGER, lingerMilliseconds), (ZMQ_SNDHWM, sendHighWaterMark), (ZMQ_RCVHWM, receiveHighWaterMark),
      (ZMQ_RECONNECT_IVL, reconnectMilliseconds), (ZMQ_RECONNECT_IVL_MAX, reconnectMaximumMilliseconds),
      (ZMQ_HEARTBEAT_IVL, heartbeatMilliseconds), (ZMQ_HEARTBEAT_TIMEOUT, 3 * heartbeatMilliseconds),
      (ZMQ_HANDSHAKE_IVL, 5000), (ZMQ_BACKLOG, backlog),
    ]
    // A mandatory ROUTER reports an unknown peer instead of dropping the message. With hand-over, a reconnecting peer
    // keeps its identity.
    if kind == .router { settings += [(ZMQ_ROUTER_MANDATORY, 1), (ZMQ_ROUTER_HANDOVER, 1)] }
    // A DEALER must not queue messages for connections that may never be established.
    if kind == .dealer { settings += [(ZMQ_IMMEDIATE, 1)] }
    for (option, value) in settings { try Self.set(handle, option, value) }
    // CURVE adds a MAC, a nonce and flags to each frame.
    try Self.set(handle, ZMQ_MAXMSGSIZE, Int64(maximumFrameBytes + Self.curveOverhead))
    if let routingIdentity { try Self.set(handle, ZMQ_ROUTING_ID, bytes: Array(routingIdentity.utf8.prefix(255))) }
  }

  private static let curveOverhead = 33

  /// Peers must prove a key that the authentication handler accepts for the domain. Without a handler or a domain, no
  /// peer is accepted.
  static func setServerKeys(_ handle: UnsafeMutableRawPointer, own: KeyPair, domain: String) throws {
    try set(handle, ZMQ_CURVE_SERVER, Int32(1))
    try set(handle, ZMQ_CURVE_SECRETKEY, bytes: Array(own.secretKey.utf8))
    try set(handle, ZMQ_ZAP_DOMAIN, bytes: Array(domain.utf8))
    try set(handle, SW_ZMQ_ZAP_ENFORCE_DOMAIN, Int32(1))
  }

  /// The peer must prove that it has the secret key of `server`. This side proves its own key.
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
      throw TransportError.system(Int32(-result), "could not set the socket option \(option) to \(bytes.count) bytes")
    }
  }
}
