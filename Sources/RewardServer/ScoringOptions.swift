// The settings of a reward server, and the values that identify it.

package import Settings

package struct ScoringOptions: Sendable {
  package var name: String
  /// The sizes of batches and the number of requests at a time.
  package var reward: RewardSettings
  /// The routers that the server joins (`routerBackends`), limits and times.
  package var network: NetworkSettings
  /// Time for one batch after which the server counts as stuck and sends no more heartbeats.
  package var stuckLimit: Duration

  package init(name: String, reward: RewardSettings = RewardSettings(), network: NetworkSettings) {
    (self.name, self.reward, self.network) = (name, reward, network)
    stuckLimit = .seconds(max(network.scoreDeadline, 2 * network.silenceLimit))
  }
}
