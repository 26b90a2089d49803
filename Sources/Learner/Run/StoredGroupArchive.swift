// The replay of another run, for training that reads it.

package import Foundation
package import Messages
internal import Replay
internal import Training

package struct StoredGroupArchive: GroupArchive {
  private let store: ReplayStore

  /// - Throws: `ReplayError` when the folder holds no replay.
  package init(_ folder: URL) throws { store = try ReplayStore(reading: folder) }

  package var numbers: [Int] { store.entries.map(\.number) }
  package func group(_ number: Int) throws -> TrajectoryGroup { try store.group(number) }
}
