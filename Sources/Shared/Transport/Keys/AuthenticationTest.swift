// A self-test of the authentication. libzmq accepts every peer if no handler answers, so every context with keys first
// checks that an unknown key is refused.

internal import CZeroMQ
internal import Roles

enum AuthenticationTest {
  /// Connects to itself over loopback with a key that is on no list, and checks that the connection is refused.
  ///
  /// - Throws: `TransportError` of kind `.keys` if the key is accepted, or if there is no result after 20 s.
  static func run(_ context: Context, _ ring: Keyring, _ stranger: KeyPair) throws {
    let server = try Socket(context, .router)
    let endpoint = try server.bind("tcp://127.0.0.1:*", roles: Set(Role.allCases))
    guard let client = zmq_socket(context.pointer, ZMQ_DEALER) else {
      throw TransportError.system(zmq_errno(), "the self-test of the authentication: could not open a socket")
    }
    defer { zmq_close(client) }
    try SocketOptions.set(client, ZMQ_LINGER, Int32(0))
    try SocketOptions.setClientKeys(client, own: stranger, server: ring.own.publicKey)
    let events = "inproc://authentication-test"
    let results = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
    guard zmq_socket_monitor(client, events, results) == 0 else {
      throw TransportError.system(zmq_errno(), "the self-test of the authentication: could not watch a socket")
    }
    let monitor = try Socket(context, .pair)
    try monitor.connect(events)
    guard sw_zmq_connect(client, endpoint) >= 0 else {
      throw TransportError.system(zmq_errno(), "the self-test of the authentication: could not connect")
    }
    let found = try monitor.receive(timeout: .seconds(20))?.first ?? []
    let event = found.count == 6 ? Int32(found[0]) | Int32(found[1]) << 8 : 0
    guard event == Int32(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) else {
      throw TransportError(
        .keys,
        "the self-test of the authentication: "
          + (event == 0 ? "libzmq did not answer within 20 s" : "libzmq accepted a random key")
          + ". No endpoint was bound. Install libzmq 4.3 with CURVE.")
    }
  }
}
