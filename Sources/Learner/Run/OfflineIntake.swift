// Training without a network: the epochs of one replay or several, in their order, as often as one asks. The same
// folders give the same groups in the same order, which the digest shows.

package import Foundation
package import Logging
package import Messages
internal import Replay
internal import Threads
internal import Training
internal import Transport

/// Gives training the stored groups of each epoch. Read by the training thread alone; only `stop` is for others.
package final class OfflineIntake: TrainingIntake, @unchecked Sendable {  // the folders are opened by the thread that trains
  private let folders: [URL]
  private let logger: Logger
  private let stopping = StopFlag()
  private var stores: [ReplayStore]?
  /// Groups given to training so far.
  package private(set) var groupCount = 0
  /// Digest of all groups given to training so far, and of their order.
  package var digest: String { hash.digest() }
  private var hash = SHA256()

  /// - Parameter folders: replay folders (journal-* and segment-*.h5), at least one; groups of one epoch are trained on
  ///   together, those of the first folder first.
  /// - Throws: `TrainingError` when there is no such folder, or one is named twice.
  package init(_ folders: [URL], logger: Logger) throws {
    for folder in folders where !FileManager.default.fileExists(atPath: folder.path) {
      throw TrainingError(
        "\(folder.path): expected a replay folder (journal-* and segment-*.h5), found nothing; name a run's replay/")
    }
    let paths = folders.map { $0.resolvingSymlinksInPath().path }
    if let twice = paths.first(where: { path in paths.filter { $0 == path }.count > 1 }) {
      throw TrainingError(
        "\(twice): expected different replay folders, found this one twice; its groups would count double")
    }
    self.folders = folders
    self.logger = logger
  }

  /// The groups that are stored of an epoch; nil when there are none, or after `stop`.
  package func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]? {
    if stopping.isSet { return nil }
    let stores = try opened()
    let groups = try stores.enumerated().flatMap { place, store in
      try store.groups(epoch: epoch).map { renumbered($0, place, of: stores.count) }
    }
    if groups.isEmpty {
      logger.info(
        "learner: \(names) hold no groups of epoch \(epoch); \(groupCount) groups were trained on, digest \(digest)")
      return nil
    }
    groupCount += groups.count
    for group in groups { hash.update(Message.group(group).encode()) }
    return groups
  }

  /// Groups by their numbers, as `groups` gives them.
  package func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    let stores = try opened()
    return try numbers.map { number in
      let place = number % stores.count
      return renumbered(try stores[place].group(number / stores.count), place, of: stores.count)
    }
  }

  /// Numbers are unique in a run only; interleaved, they are among several.
  private func renumbered(_ group: TrajectoryGroup, _ place: Int, of count: Int) -> TrajectoryGroup {
    if count == 1 { return group }
    var group = group
    group.number = group.number * count + place
    return group
  }

  private var names: String { folders.map(\.path).joined(separator: ", ") }

  private func opened() throws -> [ReplayStore] {
    if let stores { return stores }
    let opened = try folders.map { folder in
      let store = try ReplayStore(reading: folder)
      for damage in store.damage { logger.error("replay: \(damage)") }
      logger.info("learner: \(store.count) groups in \(folder.path)")
      return store
    }
    stores = opened
    return opened
  }

  /// After `stop`.
  package var isStopping: Bool { stopping.isSet }

  /// Nobody samples from it.
  package func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {}

  /// Ends the training after the epoch it is at.
  package func stop() { stopping.set() }
}
