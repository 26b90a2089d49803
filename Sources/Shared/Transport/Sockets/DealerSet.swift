// Connections to several peers of one role, such as routers, each with its own queue.

package import Roles

/// One DEALER socket per endpoint. Not Sendable: it belongs to the thread that created it.
package final class DealerSet {
  /// Wraps a socket, which cannot be copied, so that it can be stored in an array.
  private final class Connection {
    let socket: Socket

    init(_ context: Context, _ endpoint: String, _ role: Role, _ options: SocketOptions) throws {
      socket = try Socket(context, .dealer, options: options)
      try socket.connect(endpoint, to: role)
    }
  }

  private let connections: [Connection]
  package let endpoints: [String]

  /// Connects to all endpoints.
  ///
  /// - Parameter role: The role of the peers, which must prove that they have its key.
  /// - Throws: `TransportError` if an endpoint is malformed, or not on this machine and there are no keys.
  package init(
    _ context: Context, _ endpoints: [String], to role: Role, options: SocketOptions = SocketOptions()
  ) throws {
    connections = try endpoints.map { try Connection(context, $0, role, options) }
    self.endpoints = endpoints
  }

  package var count: Int { connections.count }

  package var readable: [Interest] { connections.map { $0.socket.readable } }

  /// Sends one small frame without waiting. Throws `TransportError`.
  package func send(_ index: Int, _ frame: [UInt8]) throws -> SendOutcome {
    try connections[index].socket.send([frame])
  }

  /// Sends one frame without waiting and without copying it. Throws `TransportError`.
  package func send(_ index: Int, _ frame: Frame) throws -> SendOutcome {
    try connections[index].socket.send(frame)
  }

  /// Receives the last frame of the next message of a peer; nil if there is none.
  ///
  /// - Throws: `TransportError`, of kind `.refusedKey` if the peer refuses the key of this process.
  package func receive(_ index: Int) throws -> Frame? { try connections[index].socket.receiveFromPeer()?.parts.last }
}
