// The handle of a running router, a thread with two ROUTER sockets: one for clients and one for reward servers. The
// guarantees of RouterStateMachine hold for its connections.

package import Logging
package import Settings
internal import Threads
package import Transport

package final class RouterService: Sendable {
  package struct Endpoints: Sendable, Equatable {
    /// For clients.
    package let front: String
    /// For reward servers.
    package let back: String
  }

  private let service: Service<Endpoints>

  /// `front` is the endpoint for clients, and `back` the one for reward servers. The port `*` takes any free one. The
  /// endpoints of `network` are not used. Throws `TransportError` if an endpoint is in use, malformed, or not allowed
  /// without keys.
  package init(
    _ context: Context, front: String, back: String, network: NetworkSettings = NetworkSettings(), logger: Logger
  ) throws {
    service = try Service(name: "router") { waker, stop, announce in
      let frontSocket = try Socket(context, .router, options: network.socketOptions)
      let backSocket = try Socket(context, .router, options: network.socketOptions)
      let endpoints = Endpoints(
        front: try frontSocket.bind(front, roles: RouterLoop.clients),
        back: try backSocket.bind(back, roles: RouterLoop.servers))
      announce(endpoints)
      logger.info("router: clients at \(endpoints.front), reward servers at \(endpoints.back)")
      var loop = RouterLoop(
        machine: RouterStateMachine(silenceLimit: .seconds(network.silenceLimit)),
        heartbeatInterval: .seconds(network.heartbeatInterval), logger: logger)
      try loop.run(front: frontSocket, back: backSocket, waker: waker, stop: stop)
    }
  }

  package var endpoints: Endpoints { service.address }
  /// Requests the end of the router.
  package func stop() { service.stop() }
  /// Blocks until the router has ended. Throws the error that ended it.
  package func join() throws { try service.join() }
  /// Suspends until the router has ended. Throws the error that ended it.
  package func ended() async throws { try await service.ended() }
}
