// A learner, from a configuration to its end: the training thread and the network thread around one run folder. The
// program, `stepwise` and tests call the same.

package import Configuration
internal import Engine
package import Foundation
package import Logging
internal import Roles
internal import Synchronization
package import Threads
internal import Training
package import Transport

/// A running learner.
package final class LearnerRun: Sendable {
  private let training: ServiceThread
  private let control = Control()
  private let bound = Mailbox<LearnerService.Addresses>()

  /// Starts loading the model, in a thread of its own.
  ///
  /// - Parameter resumes: goes on with what the run's folder holds; else it must hold no run.
  package init(_ context: Context, _ configuration: Configuration, resumes: Bool, logger: Logger) {
    training = ServiceThread(name: "training") { [control, bound] in
      defer { bound.close() }
      try Self.run(context, configuration, resumes: resumes, logger, control, bound)
    }
  }

  /// Where it is bound; waits until it is. nil when it ended before.
  package func addresses() -> LearnerService.Addresses? { bound.take() }

  /// Asks it to end: the epoch in training is given up at the next minibatch, a checkpoint of its beginning written,
  /// and actors are left waiting for a learner that goes on.
  package func stop() { control.stop() }

  /// Whether it has ended.
  package var hasEnded: Bool { training.hasEnded }

  /// Blocks until it has ended.
  ///
  /// - Throws: what ended it.
  package func join() throws { try training.join() }

  /// Suspends until it has ended.
  ///
  /// - Throws: what ended it.
  package func ended() async throws { try await training.ended() }

  private static func run(
    _ context: Context, _ configuration: Configuration, resumes: Bool, _ logger: Logger, _ control: Control,
    _ bound: Mailbox<LearnerService.Addresses>
  ) throws {
    let (lock, loop, folder, service) = try RunFolder.leavingNothing(configuration, logger) { lock in
      if !resumes { try RunFolder.requireNew(configuration) }
      let loop = try TrainingWorker(
        configuration, log: logger, sources: Self.sources(context, configuration, logger))
      let folder = try RunFolder(configuration)
      let settings = try LearnerSettings(
        configuration, runID: folder.runID, modelHash: loop.modelFingerprint, firstEpoch: loop.version,
        groupsSampled: loop.groupsSampled)
      let service = try LearnerService(context, settings, logger: logger, isAcceptable: loop.objection)
      return (lock, loop, folder, service)
    }
    defer { withExtendedLifetime(lock) {} }
    control.begin(service)
    bound.put(service.addresses)
    do {
      try folder.keep(configuration)
      let heldOut = try HeldOutEvaluation(context, configuration, stop: service.stopFlag, logger: logger)
      try loop.run(service, heldOut: heldOut, beforeSaving: lock.verify)
    } catch {
      do { try service.end() } catch let second { logger.error("learner: \(second)") }
      throw error
    }
    if loop.version < configuration.training.epochs {
      try service.end()
      logger.info("learner: stopped at policy \(loop.version); --resume goes on")
    } else {
      try service.finish("all \(loop.version) epochs are trained")
      logger.info("learner: all \(loop.version) epochs are trained")
    }
  }

  private static func sources(
    _ context: Context, _ configuration: Configuration, _ logger: Logger
  ) throws -> TrainingSources {
    TrainingSources(gradients: try gradients(context, configuration, logger)) { try StoredGroupArchive($0) }
  }

  /// The reward servers, for a method that follows their gradients; nil for the others.
  ///
  /// - Throws: `ScoreClientError` naming the reward that is not offered with a gradient.
  private static func gradients(
    _ context: Context, _ configuration: Configuration, _ logger: Logger
  ) throws -> (any PixelGradients)? {
    guard try configuration.asksServersForGradients else { return nil }
    let rewards = configuration.reward.weights.keys.sorted().joined(separator: ", ")
    logger.info("learner: \(configuration.training.algorithm) asks the routers for gradients of \(rewards)")
    return try ServedGradients(context, configuration)
  }

  /// Runs a learner until its run is finished, or SIGINT, SIGTERM or SIGUSR1 comes.
  ///
  /// - Throws: what ended it.
  package static func run(
    _ configuration: Configuration, resumes: Bool, logger: Logger = serviceLogger("learner")
  ) async throws {
    try Compute.start(threads: configuration.run.threads == 0 ? nil : configuration.run.threads)
    logger.info("learner: \(Compute.summary)")
    let security = try configuration.network.security(for: .learner)
    let context = try Context(ioThreads: security.isEncrypted ? 2 : 1, security: security)
    let learner = LearnerRun(context, configuration, resumes: resumes, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("learner: ends on \(signal)")
      learner.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    try await learner.ended()
  }

  /// Trains on stored trajectories, epoch after epoch, without actors or a network.
  ///
  /// - Parameter replays: folders of journals and segments, of this run or others; they are only read. Groups of one
  ///   epoch are trained on together, those of the first folder first.
  /// - Throws: when training cannot go on, or a replay cannot be read.
  package static func runOffline(
    _ configuration: Configuration, replays: [URL], resumes: Bool, logger: Logger = serviceLogger("learner")
  ) async throws {
    try Compute.start(threads: configuration.run.threads == 0 ? nil : configuration.run.threads)
    let intake = try OfflineIntake(replays, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("learner: ends on \(signal)")
      intake.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    try await ServiceThread(name: "training") {
      let (lock, loop) = try RunFolder.leavingNothing(configuration, logger) { lock in
        if !resumes { try RunFolder.requireNew(configuration) }
        let loop = try TrainingWorker(
          configuration, log: logger, sources: Self.sources(Context(), configuration, logger))
        try RunFolder(configuration).keep(configuration)
        return (lock, loop)
      }
      try loop.run(intake, heldOut: nil, beforeSaving: lock.verify)
      logger.info(
        "learner: policy \(loop.version) is trained from \(intake.groupCount) groups, digest \(intake.digest)")
    }.ended()
  }

  /// Carries a stop to the service, whichever comes first.
  private final class Control: Sendable {
    private struct State {
      var service: LearnerService?
      var isStopping = false
    }
    private let state = Mutex(State())

    func begin(_ service: LearnerService) {
      let isStopping = state.withLock { state in
        state.service = service
        return state.isStopping
      }
      if isStopping { service.stop() }
    }

    func stop() {
      let service = state.withLock { state in
        state.isStopping = true
        return state.service
      }
      service?.stop()
    }
  }
}
