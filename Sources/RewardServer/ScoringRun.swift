// The entry point of a reward server, from a configuration to its end.

package import Configuration
internal import Engine
package import Logging
internal import Rewards
internal import Roles
internal import Settings
internal import Threads
package import Transport

package enum ScoringRun {
  /// Starts a reward server with the rewards of a configuration, except for those that other servers offer.
  ///
  /// - Parameters:
  ///   - name: Name of the server in logs.
  ///   - routers: The endpoints of the routers; nil: those of the configuration.
  /// - Throws: The error of loading a scorer, which lists the known rewards if a reward is unknown.
  package static func start(
    _ context: Context, _ configuration: Configuration, name: String, routers: [String]? = nil, logger: Logger
  ) throws -> ScoringService {
    var network = configuration.network
    if let routers { network.routerBackends = routers }
    let options = ScoringOptions(name: name, reward: configuration.reward, network: network)
    return try ScoringService(context, options, logger: logger) { try scorers(configuration.reward) }
  }

  private static func scorers(_ reward: RewardSettings) throws -> [any Scorer] {
    guard !reward.served.isEmpty else {
      throw RewardRoleError(
        "reward.external lists all rewards (\(reward.external.sorted().joined(separator: ", "))), so this server has "
          + "none to score. Start no Swift reward server, or shorten the list.")
    }
    return try reward.served.map { try ScorerRegistry.make($0, reward) }
  }

  /// Runs a reward server until SIGINT or SIGTERM arrives.
  ///
  /// - Parameter bind: An endpoint at which the server also acts as the router of its clients. Without it, the server
  ///   joins the routers of the configuration.
  /// - Throws: The error that ended the server.
  package static func run(
    _ configuration: Configuration, name: String, bind: String? = nil, logger: Logger = serviceLogger("reward-server")
  ) async throws {
    try Compute.start(threads: configuration.run.threads == 0 ? nil : configuration.run.threads)
    logger.info("reward server \(name): \(Compute.summary)")
    // A server that binds an endpoint is the router of its clients, and proves it with the key of a router.
    let network = configuration.network
    let context = try Context(security: network.security(for: bind == nil ? .rewardServer : .router))
    var router: RouterService?
    if let bind {
      router = try RouterService(context, front: bind, back: "inproc://scorers", network: network, logger: logger)
    }
    let server = try start(
      context, configuration, name: name, routers: router.map { [$0.endpoints.back] }, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("reward server \(name): stops on \(signal)")
      server.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    defer { router?.stop() }
    try await server.ended()
  }
}
