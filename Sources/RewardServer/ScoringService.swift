// The handle of a running reward server: a thread for the network (ScoringLoop) and one for the scorers
// (ScoringWorker). A server whose scorers are stuck sends no heartbeats, so that the router passes its requests to
// other servers.

package import Logging
internal import Messages
package import Rewards
internal import Settings
internal import Threads
package import Transport

package final class ScoringService: Sendable {
  private let service: Service<[String]>

  /// Loads the scorers, on the thread that uses them, and starts to offer them. Throws the error of `scorers`.
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

  package var rewards: [String] { service.address }
  package func stop() { service.stop() }
  /// Blocks until the server has ended. Throws the error that ended it.
  package func join() throws { try service.join() }
  /// Suspends until the server has ended. Throws the error that ended it.
  package func ended() async throws { try await service.ended() }
}
