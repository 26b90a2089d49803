// The handle of a running actor: a thread with the sockets (ActorLoop) and a thread that computes (ActorWorker).

internal import Configuration
package import Logging
internal import Threads
package import Transport

package final class ActorService: Sendable {
  private let service: Service<String>
  private let outcome: Mailbox<String>

  /// Loads the model and joins the learner. Throws the error of loading the model.
  package convenience init(_ context: Context, _ options: ActorOptions, logger: Logger) throws {
    try self.init(context, options, logger: logger, acknowledged: { _ in }) { _ in
      try GroupSampler(options.configuration)
    }
  }

  /// Starts an actor of synthetic groups, which need no model.
  ///
  /// - Parameters:
  ///   - options: The only reward that can be requested is `SyntheticGroups.reward`.
  ///   - shape: The size of the groups.
  ///   - pace: Time that the sampler takes for a batch.
  ///   - acknowledged: Receives the numbers of the groups that the learner has stored, on the thread of the actor.
  /// - Throws: `SystemError` if no descriptor is left.
  package convenience init(
    synthetic context: Context, _ options: ActorOptions, shape: SyntheticGroups.Shape = .init(), pace: Duration,
    logger: Logger, acknowledged: @escaping @Sendable ([Int]) -> Void
  ) throws {
    try self.init(context, options, logger: logger, acknowledged: acknowledged) { stop in
      SyntheticSampler(shape: shape, pace: pace) { _ = stop.take(timeout: $0) }
    }
  }

  /// - Parameter source: Creates the source of groups, on the compute thread. Its argument closes when the actor ends.
  private init(
    _ context: Context, _ options: ActorOptions, logger: Logger, acknowledged: @escaping @Sendable ([Int]) -> Void,
    source: @escaping @Sendable (_ ending: Mailbox<Never>) throws -> any GroupSource
  ) throws {
    let outcome = Mailbox<String>()
    self.outcome = outcome
    service = try Service(name: "actor") { waker, stop, announce in
      let ending = Mailbox<Never>()
      defer { ending.close() }
      let compute = ActorWorker(waker: waker) { try source(ending) }
      let modelHash: String
      switch compute.next(timeout: .seconds(3600)) {
      case .ready(let hash): modelHash = hash
      case .failed(let error): throw error
      default: throw ActorError("actor \(options.name): could not load the model within an hour")
      }
      logger.info("actor \(options.name): model \(modelHash)")
      announce(modelHash)
      var loop = ActorLoop(
        options, modelHash: modelHash, compute: compute, acknowledged: acknowledged, logger: logger)
      let result = Result { try loop.run(context, waker: waker, stop: stop) }
      ending.close()
      // Waiting for a stuck thread would never end.
      if case .failure(let error as ActorStuck) = result { throw error }
      try compute.end()
      outcome.put(try result.get())
    }
  }

  package var modelHash: String { service.address }
  /// Requests the end of the actor. It delivers the finished groups first.
  package func stop() { service.stop() }
  package var hasEnded: Bool { service.hasEnded }

  /// Blocks until the actor has ended. Returns the reason, or throws the error that ended it.
  package func join() throws -> String {
    try service.join()
    return outcome.take(timeout: .zero) ?? ""
  }

  /// Suspends until the actor has ended. Returns the reason, or throws the error that ended it.
  package func ended() async throws -> String {
    try await service.ended()
    return outcome.take(timeout: .zero) ?? ""
  }
}
