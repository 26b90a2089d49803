// Authentication is proven before it is relied on: libzmq lets everybody in when no handler answers, so every context
// with keys first sees a stranger refused.

internal import CZeroMQ

enum AuthenticationTest {
  /// Connects to itself over loopback with a key that is on no list, and requires refusal.
  ///
  /// - Throws: `TransportError` of kind `.keys` when the stranger is let in, or nothing is heard for 20 s.
  static func run(_ context: Context, _ ring: Keyring, _ stranger: KeyPair) throws {
    let server = try Socket(context, .router)
    let endpoint = try server.bind("tcp://127.0.0.1:*", roles: Set(KeyRole.allCases))
    guard let client = zmq_socket(context.pointer, ZMQ_DEALER) else {
      throw TransportError.system(zmq_errno(), "opening a socket for the test of authentication")
    }
    defer { zmq_close(client) }
    try SocketOptions.set(client, ZMQ_LINGER, Int32(0))
    try SocketOptions.setClientKeys(client, own: stranger, server: ring.own.publicKey)
    let events = "inproc://authentication-test"
    guard zmq_socket_monitor(client, events, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) == 0 else {
      throw TransportError.system(zmq_errno(), "watching the test of authentication")
    }
    let monitor = try Socket(context, .pair)
    try monitor.connect(events)
    guard sw_zmq_connect(client, endpoint) >= 0 else {
      throw TransportError.system(zmq_errno(), "connecting the test of authentication")
    }
    let found = try monitor.receive(timeout: .seconds(20))?.first ?? []
    let event = found.count == 6 ? Int32(found[0]) | Int32(found[1]) << 8 : 0
    guard event == Int32(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) else {
      throw TransportError(
        .keys,
        "the test of authentication: expected a random key to be refused, found "
          + (event == 0 ? "no answer within 20 s" : "that it was let in")
          + ". Nothing is bound. Is this libzmq 4.3 built with CURVE?")
    }
  }
}
