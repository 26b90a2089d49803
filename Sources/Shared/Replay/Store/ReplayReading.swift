// What a replay gives back: groups by number, by epoch, or drawn at random, always whole and checked.

package import Engine
internal import Foundation
package import Messages

extension ReplayStore {
  /// All stored groups, ascending by number.
  package var entries: [ReplayEntry] { index.numbers.compactMap { index.entry($0) } }
  /// Stored groups.
  package var count: Int { index.numbers.count }
  /// Groups that were stored once and dropped since.
  package var droppedCount: Int { index.dropped.count }
  /// Trajectories in them.
  package var trajectoryCount: Int { index.trajectoryCount }
  /// Bytes on disk.
  package var byteCount: Int { segmentByteCounts.values.reduce(journal.end, +) + ended.values.reduce(0) { $0 + $1.end } }
  /// Bytes of groups that are kept in memory.
  package var cachedByteCount: Int { cache.byteCount }
  /// Paths of the sealed segments, oldest first.
  package var segmentPaths: [String] { segments.sorted { $0.key < $1.key }.map(\.value.path) }
  /// Sealed segments.
  package var segmentCount: Int { segments.count }
  /// Run of the groups; nil in an empty replay opened for reading.
  package var runID: String? { origin?.runID }

  /// Whose groups they are, as far as the folder says it: a replay without a sealed segment knows only the run.
  package var storedOrigin: ReplayOrigin { origin ?? ReplayOrigin(runID: "", modelHash: "", configuration: "") }

  /// A group of this number is or was stored, so another is a duplicate.
  package func contains(_ number: Int) -> Bool { index.contains(number) }

  /// The group of a number, from memory where it is kept there.
  ///
  /// - Throws: `ReplayError`: `.absent`, or `.damaged` when it cannot be read.
  package func group(_ number: Int) throws -> TrajectoryGroup {
    if let group = cache.group(number) { return group }
    let group = try read(number)
    cache.insert(group)
    return group
  }

  /// The group of a number, from the disk.
  func read(_ number: Int) throws -> TrajectoryGroup {
    switch index.location(number) {
    case .segment(let segment, let row): return try segments[segment]!.group(row)
    case .journal(let number, let record):
      return try (number == journal.number ? journal : ended[number]!).file.group(record)
    case nil:
      throw ReplayError(
        .absent, path: folder.path,
        index.dropped.contains(number)
          ? "group \(number) was dropped, as the replay's limits ask" : "group \(number) is not stored")
    }
  }

  /// The groups of an epoch, ascending by number.
  package func groups(epoch: Int) throws -> [TrajectoryGroup] {
    try entries.filter { $0.epoch == epoch }.map { try group($0.number) }
  }

  /// Draws different groups, every one with the same chance, in random order.
  ///
  /// - Parameters:
  ///   - count: how many, at most `self.count`.
  ///   - random: the stream to draw from.
  package func sample(_ count: Int, from random: inout RandomStream) throws -> [TrajectoryGroup] {
    check(count <= self.count, "sample: \(count) different groups of \(self.count)")
    // The first steps of a Fisher-Yates shuffle, in which a place that was not exchanged holds its own index: the cost
    // does not grow with the replay.
    var exchanged: [Int: Int] = [:]
    return try (0..<count).map { place in
      let other = place + random.integer(below: self.count - place)
      let drawn = exchanged[other] ?? other
      exchanged[other] = exchanged[place] ?? place
      return try group(index.numbers[drawn])
    }
  }

  /// Reads every group.
  ///
  /// - Returns: what is damaged; empty when all is well.
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
