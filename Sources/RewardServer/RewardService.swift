// What the program's two subcommands do, from a configuration to the end of the process; `stepwise` and tests may call
// the same.

package import Configuration
internal import Engine
package import Logging
internal import Rewards
package import Threads
package import Transport

/// Runs the reward roles of a configuration until a stop.
package enum RewardService {
  private static func security(_ network: NetworkSettings, _ role: KeyRole) throws -> Security {
    try Security(folder: network.keys, file: network.keyFile, insecure: network.insecure, role: role)
  }

  /// Starts a router as the configuration has it.
  ///
  /// - Parameter index: which of `network.routers` to be.
  /// - Throws: `TransportError`, or `RewardServiceError` when there is no such router.
  package static func router(
    _ context: Context, _ configuration: Configuration, index: Int = 0, logger: Logger
  ) throws -> RouterService {
    let network = configuration.network
    guard network.routers.indices.contains(index) else {
      throw RewardServiceError(
        "--index \(index): expected 0 to \(network.routers.count - 1), because network.routers lists "
          + "\(network.routers.count); correct one of the two.")
    }
    return try RouterService(
      context, front: network.routers[index], back: network.routerBackends[index], network: network, logger: logger)
  }

  /// Starts a reward server with the configuration's rewards.
  ///
  /// - Parameters:
  ///   - name: names it in logs.
  ///   - routers: endpoints to offer itself to; nil takes the configuration's.
  /// - Throws: what loading a scorer throws; an unknown reward is refused with the known names.
  package static func server(
    _ context: Context, _ configuration: Configuration, name: String, routers: [String]? = nil, logger: Logger
  ) throws -> ScoringService {
    var network = configuration.network
    if let routers { network.routerBackends = routers }
    let options = ScoringOptions(name: name, reward: configuration.reward, network: network)
    return try ScoringService(context, options, logger: logger) { try scorers(configuration.reward) }
  }

  /// The scorers of a configuration, by name, but for those that other servers bring.
  private static func scorers(_ reward: RewardSettings) throws -> [any Scorer] {
    guard !reward.served.isEmpty else {
      throw RewardServiceError(
        "reward.external: expected a reward for this server to score, found that others bring all of them: "
          + "\(reward.external.sorted().joined(separator: ", ")). Start no Swift reward server, or shorten the list.")
    }
    return try reward.served.map { try ScorerRegistry.make($0, reward) }
  }

  /// Routes until SIGINT or SIGTERM.
  ///
  /// - Throws: what ended it.
  package static func route(
    _ configuration: Configuration, index: Int, logger: Logger = serviceLogger("router")
  ) async throws {
    let router = try router(
      Context(ioThreads: 2, security: security(configuration.network, .router)), configuration, index: index,
      logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("router: ends on \(signal)")
      router.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    try await router.ended()
  }

  /// Scores until SIGINT or SIGTERM.
  ///
  /// - Parameter bind: serves actors directly at this endpoint, with a router of its own, instead of offering itself
  ///   to the configuration's routers.
  /// - Throws: what ended it.
  package static func serve(
    _ configuration: Configuration, name: String, bind: String? = nil, logger: Logger = serviceLogger("reward-server")
  ) async throws {
    try Compute.start(threads: configuration.run.threads == 0 ? nil : configuration.run.threads)
    logger.info("reward server \(name): \(Compute.summary)")
    // Who serves clients directly is their router, and proves it with a router's key.
    let context = try Context(security: security(configuration.network, bind == nil ? .rewardServer : .router))
    var router: RouterService?
    if let bind {
      router = try RouterService(
        context, front: bind, back: "inproc://scorers",
        network: configuration.network, logger: logger)
    }
    let server = try server(
      context, configuration, name: name, routers: router.map { [$0.endpoints.back] }, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("reward server \(name): ends on \(signal)")
      server.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    defer { router?.stop() }
    try await server.ended()
  }
}

/// The reward roles were asked for something that the configuration does not have.
package struct RewardServiceError: Error, Sendable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
