// Training without a network: the epochs of a replay, in their order, as often as one asks.

internal import Foundation
internal import Logging
internal import Messages
internal import Replay
internal import Transport

/// Gives training the stored groups of each epoch. Read by the training thread alone; only `stop` is for others.
final class OfflineIntake: TrainingIntake, @unchecked Sendable {  // the folder is opened by the thread that trains
  private let folder: URL
  private let logger: Logger
  private let stopping = StopFlag()
  private var store: ReplayStore?

  /// - Throws: `TrainingError` when there is no such folder.
  init(_ folder: URL, logger: Logger) throws {
    guard FileManager.default.fileExists(atPath: folder.path) else {
      throw TrainingError(
        "\(folder.path): expected a replay folder (journal-* and segment-*.h5), found nothing; name a run's replay/")
    }
    self.folder = folder
    self.logger = logger
  }

  /// The groups that are stored of an epoch; nil when there are none, or after `stop`.
  func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]? {
    if stopping.isSet { return nil }
    let store = try opened()
    let groups = try store.groups(epoch: epoch)
    if groups.isEmpty { logger.info("learner: \(folder.path) holds no groups of epoch \(epoch)") }
    return groups.isEmpty ? nil : groups
  }

  /// Groups by their numbers.
  func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    let store = try opened()
    return try numbers.map { try store.group($0) }
  }

  private func opened() throws -> ReplayStore {
    if let store { return store }
    let opened = try ReplayStore(reading: folder)
    for damage in opened.damage { logger.error("replay: \(damage)") }
    logger.info("learner: \(opened.count) groups in \(folder.path)")
    store = opened
    return opened
  }

  /// Nobody samples from it.
  func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {}

  func stop() { stopping.set() }
}
