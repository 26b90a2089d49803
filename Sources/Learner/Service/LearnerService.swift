// The learner's network side, as training sees it: training waits here for groups and publishes policies here. The
// service continues to serve actors while training computes.

internal import Configuration
package import Logging
package import Messages
internal import Synchronization
internal import Threads
internal import Training
package import Transport

package final class LearnerService: TrainingIntake, Sendable {
  package struct Addresses: Sendable, Equatable {
    package let learner: String
    package let notices: String
  }

  private struct Started: Sendable {
    let addresses: Addresses
    let commands: Mailbox<LearnerCommand>
    let replay: ReplayWorker
  }

  private let service: Service<Started>
  private let epochs = Mailbox<[Int]>()
  private let stopping = StopFlag()
  private let use = SharedReplayUse()
  private let sampled: Atomic<Int>

  /// Opens the replay, binds the endpoints and starts.
  ///
  /// - Parameter objection: why training cannot use a group; nil when it can. The reason is sent to the actor, which is
  ///   refused from then on.
  /// - Throws: `ReplayError`; `SystemError`; `TransportError` when an endpoint is in use; `TrainingError` when the replay
  ///   holds groups of another configuration.
  package init(
    _ context: Context, _ settings: LearnerSettings, logger: Logger,
    objection: @escaping @Sendable (TrajectoryGroup) -> String? = { _ in nil }
  ) throws {
    sampled = Atomic(settings.groupsSampled)
    let (epochs, use, judge) = (epochs, use, GroupJudge(runID: settings.runID, objection: objection))
    service = try Service(name: "learner") { waker, stop, announce in
      // Training must not wait for a thread that has ended.
      defer { epochs.close() }
      let commands = Mailbox<LearnerCommand>(waker: waker), events = Mailbox<ReplayEvent>(waker: waker)
      let replay = try ReplayWorker(settings, judge, events: events, logger: logger)
      do {
        var loop = LearnerLoop(
          settings, judge, replay: replay, events: events, commands: commands, epochs: epochs, use: use, logger: logger)
        let router = try Socket(context, .router, options: settings.network.socketOptions)
        let notices = try Socket(context, .publisher, options: settings.network.socketOptions)
        let addresses = Addresses(
          learner: try router.bind(settings.network.learner, roles: LearnerLoop.actors),
          notices: try notices.bind(settings.network.notices, roles: LearnerLoop.actors))
        logger.info("learner: run \(settings.runID), actors at \(addresses.learner), notices at \(addresses.notices)")
        announce(Started(addresses: addresses, commands: commands, replay: replay))
        try loop.run(router, notices, waker: waker, stop: stop)
      } catch {
        // The folder is free when this returns. The replay thread reports this error or one caused by it.
        try? replay.finish()
        throw error
      }
    }
  }

  package var addresses: Addresses { service.address.addresses }

  /// Waits until all groups of an epoch are on disk and may be sampled.
  ///
  /// - Returns: the groups in the order of their numbers; nil after `stop`.
  /// - Throws: the error that ended the service.
  package func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]? {
    if stopping.isSet { return nil }
    service.address.commands.put(.epoch(epoch))
    if let numbers = epochs.take() { return try read(numbers) }
    if stopping.isSet { return nil }
    try service.join()
    return nil
  }

  /// Stored groups, in the order of the numbers. It is served after `stop` too, because an epoch that has begun may need
  /// it to end.
  ///
  /// - Throws: the error that ended the service: a group that is not kept, or the disk.
  package func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    service.address.commands.put(.sampled(numbers.count))
    return try read(numbers)
  }

  private func read(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    sampled.add(numbers.count, ordering: .relaxed)
    return try service.address.replay.groups(numbers)
  }

  /// Groups that training has taken since the start of the run.
  package var groupsSampled: Int { sampled.load(ordering: .relaxed) }
  /// Set when training is to end.
  var stopFlag: StopFlag { stopping }
  package var hasEnded: Bool { service.hasEnded }
  package var metrics: [String: Double] { use.metrics }
  /// Whether training is to end, between two minibatches if need be.
  package var isStopping: Bool { stopping.isSet }

  package func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {
    service.address.commands.put(.publish(version: version, bytes: bytes, tensorCount: tensorCount))
  }

  /// Ends the waiting for groups, now and later. Actors are served until `finish` or `end`.
  package func stop() {
    stopping.set()
    epochs.close()
  }

  /// Tells all actors that the run is finished, and ends when they have said goodbye, at the latest after
  /// `network.silenceLimit`.
  ///
  /// - Throws: the error that ended the service before.
  package func finish(_ reason: String) throws {
    service.address.commands.put(.finish(reason))
    try service.join()
  }

  /// Ends without telling the actors, which wait for the learner to return.
  ///
  /// - Throws: the error that ended the service before.
  package func end() throws {
    service.stop()
    try service.join()
  }
}
