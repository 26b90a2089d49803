// The entry point of a router, from a configuration to its end.

package import Configuration
package import Logging
internal import Roles
internal import Settings
internal import Threads
package import Transport

package enum RouterRun {
  /// Starts a router.
  ///
  /// - Parameter index: The index of the router in `network.routers`.
  /// - Throws: `TransportError`, or `RewardRoleError` if there is no router with this index.
  package static func start(
    _ context: Context, _ configuration: Configuration, index: Int = 0, logger: Logger
  ) throws -> RouterService {
    let network = configuration.network
    guard network.routers.indices.contains(index) else {
      throw RewardRoleError(
        "--index \(index): expected 0 to \(network.routers.count - 1), because network.routers has "
          + "\(network.routers.count) entries")
    }
    return try RouterService(
      context, front: network.routers[index], back: network.routerBackends[index], network: network, logger: logger)
  }

  /// Runs a router until SIGINT or SIGTERM arrives. Throws the error that ended the router.
  package static func run(
    _ configuration: Configuration, index: Int, logger: Logger = serviceLogger("router")
  ) async throws {
    let context = try Context(ioThreads: 2, security: configuration.network.security(for: .router))
    let router = try start(context, configuration, index: index, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("router: stops on \(signal)")
      router.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    try await router.ended()
  }
}

/// A router or a reward server cannot be started with a configuration.
package struct RewardRoleError: Error, Sendable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
