// A reward server: one thread for the network, one for the scorers. It offers as many requests as it has credits,
// answers each once, and beats as long as its scorers get on: one that is stuck falls silent, and is taken for lost.

package import Logging
internal import Messages
package import Rewards
package import Threads
package import Transport

/// What a reward server needs to know.
package struct ScoringOptions: Sendable {
  /// Names it in logs and errors.
  package var name: String
  /// Endpoints of the routers it offers itself to.
  package var routers: [String]
  /// Requests it takes at once from each router; the next one waits here while one is scored.
  package var credits = 2
  /// Images to a call of a scorer.
  package var batchSize = 32
  /// How long a call may wait for more images to fill a batch.
  package var batchDelay: Duration = .zero
  /// Time between two offers, which are its signs of life.
  package var beat: Duration = .seconds(2)
  /// Time on one request after which it counts itself as stuck and falls silent.
  package var patience: Duration = .seconds(120)
  /// Time for which it waits for a first router before it ends with an error.
  package var connectTimeout: Duration = .seconds(30)
  /// Limits of its sockets.
  package var socket = SocketOptions()

  /// Options with the defaults above.
  package init(name: String, routers: [String]) {
    self.name = name
    self.routers = routers
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
        let scorers = ScorerSet(try scorers(), batchSize: options.batchSize)
        offered.put(scorers.rewards)
        worker.work(scorers, batchDelay: options.batchDelay)
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
