// Several connections of one role, such as to several routers, each with a queue of its own.

/// One DEALER socket an endpoint. Not Sendable: the thread that made it owns it.
package final class DealerSet {
  /// Holds a socket, which cannot be copied, in a list.
  private final class Connection {
    let socket: Socket

    init(_ context: Context, _ endpoint: String, _ role: KeyRole, _ options: SocketOptions) throws {
      socket = try Socket(context, .dealer, options: options)
      try socket.connect(endpoint, to: role)
    }
  }

  private let connections: [Connection]
  /// The endpoints, in order.
  package let endpoints: [String]

  /// Connects to all endpoints.
  ///
  /// - Parameter role: of all the peers, whose key they must prove to have.
  /// - Throws: `TransportError` when an endpoint is malformed, or beyond this machine without keys.
  package init(
    _ context: Context, _ endpoints: [String], to role: KeyRole, options: SocketOptions = SocketOptions()
  ) throws {
    connections = try endpoints.map { try Connection(context, $0, role, options) }
    self.endpoints = endpoints
  }

  /// Number of connections.
  package var count: Int { connections.count }

  /// There is a message to receive, an interest a connection.
  package var readable: [Interest] { connections.map { $0.socket.readable } }

  /// Hands one small frame to a peer without waiting.
  ///
  /// - Throws: `TransportError`.
  package func send(_ index: Int, _ frame: [UInt8]) throws -> SendOutcome {
    try connections[index].socket.send([frame])
  }

  /// Hands one frame to a peer without waiting and without copying it.
  ///
  /// - Throws: `TransportError`.
  package func send(_ index: Int, _ frame: Frame) throws -> SendOutcome {
    try connections[index].socket.send(frame)
  }

  /// Takes the next frame of a peer, or nil when none has come; frames before a message's last one are dropped.
  ///
  /// - Throws: `TransportError`, of kind `.refusedKey` when the peer refuses this process's key.
  package func receive(_ index: Int) throws -> Frame? { try connections[index].socket.receiveFromPeer()?.parts.last }
}
