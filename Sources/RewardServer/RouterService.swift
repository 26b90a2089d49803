// The dispatcher between two ROUTER sockets: actors in front, reward servers behind. One thread owns both. It promises
// what the dispatcher promises, on real connections: a server that cannot be reached is a lost one.

package import Configuration
package import Logging
package import Transport

/// A running router.
package final class RouterService: Sendable {
  /// Where a router can be reached.
  package struct Endpoints: Sendable, Equatable {
    /// For actors.
    package let front: String
    /// For reward servers.
    package let back: String
  }

  private let service: Service<Endpoints>

  /// Binds both sockets and starts.
  ///
  /// - Parameters:
  ///   - front: endpoint for actors; port `*` takes any free one.
  ///   - back: endpoint for reward servers.
  ///   - network: limits and times; its endpoints are not used.
  /// - Throws: `TransportError` when an endpoint is in use, malformed, or open to others.
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
      logger.info("router: actors at \(endpoints.front), reward servers at \(endpoints.back)")
      var loop = RouterLoop(
        machine: RouterStateMachine(silence: .seconds(network.silenceLimit)), logger: logger,
        beat: .seconds(network.heartbeatInterval))
      try loop.run(front: frontSocket, back: backSocket, waker: waker, stop: stop)
    }
  }

  /// Where it is bound.
  package var endpoints: Endpoints { service.address }
  /// Asks it to end.
  package func stop() { service.stop() }
  /// Blocks until it has ended.
  ///
  /// - Throws: the error that ended it.
  package func join() throws { try service.join() }
  /// Suspends until it has ended.
  ///
  /// - Throws: the error that ended it.
  package func ended() async throws { try await service.ended() }
}
