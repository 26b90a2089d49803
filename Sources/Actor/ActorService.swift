// An actor, from a configuration to its end; the program, `stepwise` and tests call the same.

package import Configuration
internal import Engine
internal import Foundation
internal import Glibc
package import Logging
package import Threads
package import Transport

/// A running actor.
package final class ActorService: Sendable {
  private let service: Service<String>
  private let outcome: Mailbox<String>

  /// Starts loading the model and joins the learner.
  ///
  /// - Throws: when the model cannot be loaded.
  package convenience init(_ context: Context, _ options: ActorOptions, logger: Logger) throws {
    try self.init(context, options, logger: logger, acknowledged: { _ in }) { _ in
      try GroupSampler(options.configuration)
    }
  }

  /// Starts an actor of synthetic groups, which cost nothing to make.
  ///
  /// - Parameters:
  ///   - options: the one reward to ask for is `SyntheticGroups.reward`.
  ///   - shape: how large the groups are.
  ///   - pace: time for which a batch takes the sampler.
  ///   - acknowledged: is told, on the actor's thread, the numbers of groups that the learner says are on its disk.
  /// - Throws: when no thread or descriptor is left.
  package convenience init(
    synthetic context: Context, _ options: ActorOptions, shape: SyntheticGroups.Shape = .init(), pace: Duration,
    logger: Logger, acknowledged: @escaping @Sendable ([Int]) -> Void
  ) throws {
    try self.init(context, options, logger: logger, acknowledged: acknowledged) { stop in
      SyntheticSampler(shape: shape, pace: pace) { _ = stop.take(timeout: $0) }
    }
  }

  /// - Parameter source: makes what makes groups, on the compute thread; its argument closes when the actor ends.
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
      default: throw ActorError("actor \(options.name): the model was not loaded within an hour.")
      }
      logger.info("actor \(options.name): model \(modelHash)")
      announce(modelHash)
      var loop = ActorLoop(
        options, modelHash: modelHash, compute: compute, acknowledged: acknowledged, logger: logger)
      let result = Result { try loop.run(context, waker: waker, stop: stop) }
      ending.close()
      // A thread that is stuck cannot be waited for.
      if case .failure(let error as ActorStuck) = result { throw error }
      try compute.end()
      outcome.put(try result.get())
    }
  }

  /// The model's hash, as it was told to the learner.
  package var modelHash: String { service.address }
  /// Asks it to end: it delivers what it has made, and says goodbye.
  package func stop() { service.stop() }
  /// Whether it has ended.
  package var hasEnded: Bool { service.hasEnded }

  /// Blocks until it has ended.
  ///
  /// - Returns: why it ended.
  /// - Throws: the error that ended it.
  package func join() throws -> String {
    try service.join()
    return outcome.take(timeout: .zero) ?? ""
  }

  /// Suspends until it has ended.
  ///
  /// - Returns: why it ended.
  /// - Throws: the error that ended it.
  package func ended() async throws -> String {
    try await service.ended()
    return outcome.take(timeout: .zero) ?? ""
  }

  /// Runs an actor until the run is finished, or SIGINT or SIGTERM comes.
  ///
  /// Ends the process with `ActorStuck.exitStatus` when its sampler does not get on.
  ///
  /// - Throws: what ended it.
  package static func run(_ options: ActorOptions, logger: Logger = serviceLogger("actor")) async throws {
    let threads = options.configuration.run.threads
    try Compute.start(threads: threads == 0 ? nil : threads)
    logger.info("actor \(options.name): \(Compute.summary)")
    let network = options.network
    let security = try Security(folder: network.keys, file: network.keyFile, insecure: network.insecure, role: .actor)
    let actor = try ActorService(Context(security: security), options, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("actor \(options.name): ends on \(signal)")
      actor.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    do {
      let reason = try await actor.ended()
      logger.info("actor \(options.name): \(reason)")
    } catch let stuck as ActorStuck {
      logger.critical("\(stuck)")
      _exit(ActorStuck.exitStatus)
    }
  }
}
