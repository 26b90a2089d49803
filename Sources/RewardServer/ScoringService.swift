// A reward server: one thread for the network, one for the scorers. It offers as many requests as it has credits,
// answers each once, and beats as long as its scorers get on: one that is stuck falls silent, and is taken for lost.

package import Configuration
package import Logging
internal import Messages
package import Rewards
package import Threads
package import Transport

/// Settings of a reward server.
package struct ScoringOptions: Sendable {
  /// Names the server in logs and errors.
  package var name: String
  /// Batches, and the number of requests at once.
  package var reward: RewardSettings
  /// The routers that the server offers itself to (`routerBackends`), limits and times.
  package var network: NetworkSettings
  /// Time on one request after which the server counts itself as stuck and becomes silent.
  package var patience: Duration

  package init(name: String, reward: RewardSettings = RewardSettings(), network: NetworkSettings) {
    self.name = name
    self.reward = reward
    self.network = network
    patience = .seconds(max(network.scoreDeadline, 2 * network.silenceLimit))
  }
}

/// A running reward server.
package final class ScoringService: Sendable {
  private let service: Service<[String]>

  /// Loads the scorers and starts offering them.
  ///
  /// - Parameter scorers: makes them, on the thread that will use them.
  /// - Throws: what `scorers` threw, or `TransportError`.
  package init(
    _ context: Context, _ options: ScoringOptions, logger: Logger,
    scorers: @escaping @Sendable () throws -> [any Scorer]
  ) throws {
    service = try Service(name: "reward server") { waker, stop, announce in
      let worker = ScoringWorker(waker: waker)
      let offered = Mailbox<[RewardVersion]>()
      let thread = ServiceThread(name: "scoring") {
        defer { offered.close() }
        let scorers = ScorerSet(try scorers(), batchSize: options.reward.batchSize)
        offered.put(scorers.rewards)
        worker.work(scorers, batchDelay: .seconds(options.reward.batchDelay))
      }
      guard let rewards = offered.take() else { return try thread.join() }
      announce(rewards.map(\.name))
      var loop = ScoringLoop(options: options, rewards: rewards, worker: worker, logger: logger)
      do {
        try loop.run(context, waker: waker, stop: stop)
      } catch {
        worker.close()
        throw error
      }
      worker.close()
      try thread.join()
    }
  }

  /// Names of the rewards it offers.
  package var rewards: [String] { service.address }
  /// Asks it to end: it answers what it has begun, and says goodbye.
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
