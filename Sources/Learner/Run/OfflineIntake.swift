// Training without a network: the epochs of one or several replays in their order. The same folders give the same groups
// in the same order; the digest proves it.

package import Foundation
package import Logging
package import Messages
internal import Replay
internal import Threads
internal import Training
internal import Transport

/// Gives training the stored groups of each epoch. Only the training thread may use it, except `stop`.
package final class OfflineIntake: TrainingIntake, @unchecked Sendable {  // used by the training thread only, but for the flag
  private let folders: [URL]
  private let logger: Logger
  private let stopping = StopFlag()
  private var stores: [ReplayStore]?
  /// Why a group cannot be trained on; nil when it can.
  package var objection: (TrajectoryGroup) -> String? = { _ in nil }
  package private(set) var groupCount = 0
  /// Digest of all groups given to training so far, in their order.
  package var digest: String { hash.digest() }
  private var hash = SHA256()

  /// - Parameter folders: replay folders (journal-* and segment-*.h5), at least one. The groups of one epoch are trained
  ///   on together, those of the first folder first.
  /// - Throws: `TrainingError` when a folder is missing or named twice.
  package init(_ folders: [URL], logger: Logger) throws {
    for folder in folders where !FileManager.default.fileExists(atPath: folder.path) {
      throw TrainingError(
        "\(folder.path): there is no such folder; name the replay folder of a run (journal-* and segment-*.h5)")
    }
    let paths = folders.map { $0.resolvingSymlinksInPath().path }
    if let twice = paths.first(where: { path in paths.filter { $0 == path }.count > 1 }) {
      throw TrainingError(
        "\(twice): the replay folder is named twice, and its groups would count double; name it once")
    }
    self.folders = folders
    self.logger = logger
  }

  /// The stored groups of an epoch; nil when there are none, or after `stop`.
  ///
  /// - Throws: `TrainingError` when a group was sampled with other settings; `ReplayError`; `SystemError`.
  package func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]? {
    if stopping.isSet { return nil }
    let stores = try opened()
    let groups = try stores.enumerated().flatMap { index, store in
      try store.groups(epoch: epoch).map { renumbered($0, index, of: stores.count) }
    }
    if groups.isEmpty {
      logger.info(
        "learner: no groups of epoch \(epoch) in \(names); \(groupCount) groups were trained on, digest \(digest)")
      return nil
    }
    for group in groups {
      if let reason = objection(group) { throw TrainingError(reason) }
    }
    groupCount += groups.count
    for group in groups { hash.update(Message.group(group).encode()) }
    return groups
  }

  /// Groups by the numbers that `groups` gives them.
  package func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    let stores = try opened()
    return try numbers.map { number in
      let index = number % stores.count
      return renumbered(try stores[index].group(number / stores.count), index, of: stores.count)
    }
  }

  /// Numbers are unique within a run. Interleaving makes them unique among several replays.
  private func renumbered(_ group: TrajectoryGroup, _ index: Int, of count: Int) -> TrajectoryGroup {
    if count == 1 { return group }
    var group = group
    group.number = group.number * count + index
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

  package var isStopping: Bool { stopping.isSet }

  /// Does nothing, because no actor samples.
  package func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {}

  /// Ends training after the current epoch.
  package func stop() { stopping.set() }
}
