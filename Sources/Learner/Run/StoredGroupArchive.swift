// The replay of another run, for training that reads it.

internal import Foundation
internal import Messages
internal import Replay
internal import Training

struct StoredGroupArchive: GroupArchive {
  private let store: ReplayStore

  /// - Throws: `ReplayError` when the folder holds no replay.
  init(_ folder: URL) throws { store = try ReplayStore(reading: folder) }

  var numbers: [Int] { store.entries.map(\.number) }
  func group(_ number: Int) throws -> TrajectoryGroup { try store.group(number) }
}
