// Reading a replay: groups by number, by epoch, or drawn at random. Every group is complete and checked.

package import Engine
internal import Foundation
package import Messages

extension ReplayStore {
  package var entries: [ReplayEntry] { index.numbers.compactMap { index.entry($0) } }
  package var count: Int { index.numbers.count }
  package var droppedCount: Int { index.dropped.count }
  package var trajectoryCount: Int { index.trajectoryCount }
  package var byteCount: Int { segmentByteCounts.values.reduce(journal.end, +) + ended.values.reduce(0) { $0 + $1.end } }
  package var cachedByteCount: Int { cache.byteCount }
  package var segmentCount: Int { segments.count }
  /// The run of the groups; nil in an empty replay that was opened for reading.
  package var runID: String? { origin?.runID }

  /// The run and model of the groups. A replay without a sealed segment knows only the run.
  package var storedOrigin: ReplayOrigin { origin ?? ReplayOrigin(runID: "", modelHash: "", configuration: "") }

  /// Whether a group of this number is or was stored, so that another one is a duplicate.
  package func contains(_ number: Int) -> Bool { index.contains(number) }

  /// The group of a number, from memory or from disk.
  ///
  /// - Throws: `ReplayError` of kind `.absent` or `.damaged`; `SystemError`.
  package func group(_ number: Int) throws -> TrajectoryGroup {
    if let group = cache.group(number) { return group }
    let group = try read(number)
    cache.insert(group)
    return group
  }

  func read(_ number: Int) throws -> TrajectoryGroup {
    switch index.location(number) {
    case .segment(let segment, let row): return try segments[segment]!.group(row)
    case .journal(let number, let record):
      return try (number == journal.number ? journal : ended[number]!).file.group(record)
    case nil:
      throw ReplayError(
        .absent, path: folder.path,
        index.dropped.contains(number)
          ? "group \(number) was dropped; raise replay.maximumTrajectories or replay.maximumBytes to keep more groups"
          : "group \(number) is not stored")
    }
  }

  package func groups(epoch: Int) throws -> [TrajectoryGroup] {
    try entries.filter { $0.epoch == epoch }.map { try group($0.number) }
  }

  /// Draws different groups with equal probability, in random order.
  ///
  /// - Parameter count: at most `self.count`.
  package func sample(_ count: Int, from random: inout RandomStream) throws -> [TrajectoryGroup] {
    check(count <= self.count, "sample: \(count) different groups of \(self.count)")
    // The first steps of a Fisher-Yates shuffle. A position that is not in the dictionary holds its own index, so the
    // cost does not grow with the replay.
    var exchanged: [Int: Int] = [:]
    return try (0..<count).map { position in
      let other = position + random.integer(below: self.count - position)
      let drawn = exchanged[other] ?? other
      exchanged[other] = exchanged[position] ?? position
      return try group(index.numbers[drawn])
    }
  }

  /// Reads every group. Returns the groups that cannot be read.
  package func verify() -> [ReplayDamage] {
    index.numbers.compactMap { number in
      do {
        _ = try read(number)
        return nil
      } catch {
        let path = (error as? ReplayError)?.path ?? folder.path
        return ReplayDamage(path: path, problem: "group \(number): \(error)", isTornTail: false)
      }
    }
  }
}
