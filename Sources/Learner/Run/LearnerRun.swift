// A learner from its configuration to its end: the training thread, the network thread and the replay thread around one
// run folder. The program, `stepwise` and the tests call the same code.

package import Configuration
internal import Engine
package import Foundation
package import Logging
internal import Roles
internal import Synchronization
internal import Threads
internal import Training
package import Transport

package final class LearnerRun: Sendable {
  private let training: ServiceThread
  private let control = Control()
  private let bound = Mailbox<LearnerService.Addresses>()

  /// Starts a thread, which begins by loading the model.
  ///
  /// - Parameter resumes: whether to resume the run of the folder; otherwise the folder must hold no run.
  package init(_ context: Context, _ configuration: Configuration, resumes: Bool, logger: Logger) {
    training = ServiceThread(name: "training") { [control, bound] in
      defer { bound.close() }
      try Self.run(context, configuration, resumes: resumes, logger, control, bound)
    }
  }

  /// Waits until the endpoints are bound; nil when the learner ended before.
  package func addresses() -> LearnerService.Addresses? { bound.take() }

  /// Requests the end: training abandons its epoch at the next minibatch and writes a checkpoint of the epoch's start.
  /// The actors wait for a learner that resumes the run.
  package func stop() { control.stop() }

  package var hasEnded: Bool { training.hasEnded }

  /// Blocks until the learner has ended. Throws the error that ended it.
  package func join() throws { try training.join() }

  /// Suspends until the learner has ended. Throws the error that ended it.
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
      let service = try LearnerService(context, settings, logger: logger, objection: loop.objection)
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
      logger.info("learner: stopped at policy \(loop.version); --resume continues the run")
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

  /// The reward servers, for a method that uses their gradients; nil for other methods.
  ///
  /// - Throws: `ScoreClientError` naming a reward that is not offered with a gradient.
  private static func gradients(
    _ context: Context, _ configuration: Configuration, _ logger: Logger
  ) throws -> (any PixelGradients)? {
    guard try configuration.asksServersForGradients else { return nil }
    let rewards = configuration.reward.weights.keys.sorted().joined(separator: ", ")
    logger.info("learner: \(configuration.training.algorithm) requests gradients of \(rewards) from the routers")
    return try ServedGradients(context, configuration)
  }

  /// Runs a learner until its run is finished, or until SIGINT, SIGTERM or SIGUSR1. Throws the error that ended it.
  package static func run(
    _ configuration: Configuration, resumes: Bool, logger: Logger = serviceLogger("learner")
  ) async throws {
    try Compute.start(threads: configuration.run.threads == 0 ? nil : configuration.run.threads)
    logger.info("learner: \(Compute.summary)")
    let security = try configuration.network.security(for: .learner)
    let context = try Context(ioThreads: security.isEncrypted ? 2 : 1, security: security)
    let learner = LearnerRun(context, configuration, resumes: resumes, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("learner: stopping after \(signal)")
      learner.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    try await learner.ended()
  }

  /// Trains on stored trajectories, epoch by epoch, without actors or a network.
  ///
  /// - Parameter replays: replay folders of this run or others. They are only read. The groups of one epoch are trained
  ///   on together, those of the first folder first.
  /// - Throws: when training cannot continue, or a replay cannot be read.
  package static func runOffline(
    _ configuration: Configuration, replays: [URL], resumes: Bool, logger: Logger = serviceLogger("learner")
  ) async throws {
    try Compute.start(threads: configuration.run.threads == 0 ? nil : configuration.run.threads)
    let intake = try OfflineIntake(replays, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("learner: stopping after \(signal)")
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
      intake.objection = loop.objection
      try loop.run(intake, heldOut: nil, beforeSaving: lock.verify)
      logger.info(
        "learner: policy \(loop.version) is trained on \(intake.groupCount) groups, digest \(intake.digest)")
    }.ended()
  }

  /// Passes a stop on to the service; either may come first.
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
