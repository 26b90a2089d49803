// The learner's network side, as training sees it: it waits here for groups, and publishes policies here. The service
// goes on serving actors while training computes.

internal import Configuration
package import Logging
package import Messages
package import Threads
internal import Training
package import Transport

/// A running learner service, bound to its endpoints.
package final class LearnerService: TrainingIntake, Sendable {
  /// Where it can be reached.
  package struct Addresses: Sendable, Equatable {
    /// For actors.
    package let learner: String
    /// Announcements of policies.
    package let notices: String
  }

  /// What the thread tells when it is ready.
  private struct Started: Sendable {
    let addresses: Addresses
    let commands: Mailbox<LearnerCommand>
  }

  private let service: Service<Started>
  private let answers = Mailbox<[TrajectoryGroup]>()
  /// Open until the thread ends: an epoch that has begun is finished after a stop too.
  private let storedGroups = Mailbox<[TrajectoryGroup]>()
  private let stopping = StopFlag()
  private let use = SharedReplayUse()

  /// Opens the replay, binds the endpoints and starts.
  ///
  /// - Parameters:
  ///   - isAcceptable: says why a group cannot be trained on, nil when it can; its actor is sent away with the reason.
  /// - Throws: `ReplayError`, `TransportError` when an endpoint is in use, or `TrainingError` when the replay holds
  ///   groups of other settings.
  package init(
    _ context: Context, _ settings: LearnerSettings, logger: Logger,
    isAcceptable: @escaping @Sendable (TrajectoryGroup) -> String? = { _ in nil }
  ) throws {
    let (answers, storedGroups, use) = (answers, storedGroups, use)
    service = try Service(name: "learner") { waker, stop, announce in
      // However this ends, training must not wait for ever.
      defer {
        answers.close()
        storedGroups.close()
      }
      let commands = Mailbox<LearnerCommand>(waker: waker)
      var loop = try LearnerLoop(
        settings, commands: commands, answers: answers, storedGroups: storedGroups, use: use, waker: waker,
        isAcceptable: isAcceptable, logger: logger)
      do {
        let router = try Socket(context, .router, options: settings.network.socketOptions)
        let notices = try Socket(context, .publisher, options: settings.network.socketOptions)
        let addresses = Addresses(
          learner: try router.bind(settings.network.learner, roles: LearnerLoop.actors),
          notices: try notices.bind(settings.network.notices, roles: LearnerLoop.actors))
        logger.info("learner: run \(settings.runID), actors at \(addresses.learner), notices at \(addresses.notices)")
        announce(Started(addresses: addresses, commands: commands))
        try loop.run(router, notices, waker: waker, stop: stop)
      } catch {
        // The folder is free when this has ended. What the replay's thread says is this error, or comes of it.
        try? loop.end()
        throw error
      }
    }
  }

  /// Where it is bound.
  package var addresses: Addresses { service.address.addresses }

  /// Waits until every group of an epoch is on disk.
  ///
  /// - Returns: the groups in the order of their numbers; nil after `stop`.
  /// - Throws: what ended the service.
  package func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]? {
    if stopping.isSet { return nil }
    service.address.commands.put(.groups(epoch: epoch))
    if let groups = answers.take() { return groups }
    if stopping.isSet { return nil }
    try service.join()
    return nil
  }

  /// Groups from the replay, in the order of the numbers.
  ///
  /// - Throws: what ended the service: a group that is not kept, or the disk.
  package func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    service.address.commands.put(.stored(numbers))
    if let groups = storedGroups.take() { return groups }
    try service.join()
    throw TrainingError("the learner's network thread ended while the replay was read; resume the run")
  }

  /// Groups that training has taken since the beginning of the run.
  package var groupsSampled: Int { use.samples }
  /// Goes up when training is to end.
  var stopFlag: StopFlag { stopping }
  /// What the replay holds, and how it is used.
  package var metrics: [String: Double] { use.metrics }
  /// Training is to end: between two minibatches if need be.
  package var isStopping: Bool { stopping.isSet }

  /// Makes a policy the one in force.
  package func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {
    service.address.commands.put(.publish(version: version, bytes: bytes, tensorCount: tensorCount))
  }

  /// Ends the waiting for groups, now and later; actors are served on until `finish` or `end`.
  package func stop() {
    stopping.set()
    answers.close()
  }

  /// Tells all actors that the run is over, and ends.
  ///
  /// - Throws: what ended the service before.
  package func finish(_ reason: String) throws {
    service.address.commands.put(.finish(reason))
    try service.join()
  }

  /// Ends without a word: actors wait for the learner to come back.
  ///
  /// - Throws: what ended the service before.
  package func end() throws {
    service.stop()
    try service.join()
  }
}
