// Stored groups written anew: chosen ones to a file of their own, or all of them into fewer, full segments. Compaction
// begins every file beside the old ones and removes those only when it is whole, so that a crash loses nothing.

internal import Engine
package import Foundation
internal import Messages
internal import Settings

#if canImport(Glibc)
  internal import Glibc
#endif

extension ReplayStore {
  /// Writes groups to one HDF5 file, of the same layout as a sealed segment.
  ///
  /// - Parameters:
  ///   - numbers: of stored groups, at least one, whose states have one shape; they are written ascending.
  ///   - file: replaced when it exists; either whole or not there.
  /// - Throws: `ReplayError` when a group is absent or damaged, shapes differ, or there is no room.
  package func export(_ numbers: [Int], to file: URL) throws {
    check(!numbers.isEmpty, "export: no groups")
    let numbers = Set(numbers).sorted()
    let first = try group(numbers[0])
    for number in numbers.dropFirst() {
      let shape = try shape(number)
      guard shape == first.trajectories[0].states.shape else {
        throw ReplayError(
          .foreign, path: folder.path,
          "expected groups of one shape, found \(first.trajectories[0].states.shape) in group \(numbers[0]) and \(shape) "
            + "in group \(number); export them apart")
      }
    }
    let origin = origin ?? ReplayOrigin(runID: first.runID, modelHash: "", configuration: "")
    try write(numbers, to: file.path, origin)
  }

  /// What a compaction did.
  package struct Compaction: Sendable, Equatable {
    /// Segments and bytes on disk before.
    package let segmentsBefore: Int, bytesBefore: Int
    /// Segments and bytes on disk after.
    package let segmentsAfter: Int, bytesAfter: Int
  }

  /// Writes all groups into as few segments as `settings` allow, in the order of their numbers, and removes the old
  /// ones. No other process may be reading the folder.
  ///
  /// - Throws: `ReplayError`; every group is still stored then, and a later compaction finishes the work.
  package func compact() throws -> Compaction {
    let before = (segments.count, byteCount)
    try seal()
    guard let origin else {
      return Compaction(segmentsBefore: 0, bytesBefore: before.1, segmentsAfter: 0, bytesAfter: before.1)
    }
    let old = segments.keys.sorted()
    for numbers in try portions() {
      let number = journal.number
      try write(numbers, to: ReplayFolder.segment(folder.path, number), origin)
      try adopt(segment: number)
      try beginJournal(number + 1)
      try Disk.remove(ReplayFolder.journal(folder.path, number))
    }
    for number in old {
      guard let segment = segments.removeValue(forKey: number) else { continue }
      segmentByteCounts[number] = nil
      try Disk.remove(segment.path)
    }
    return Compaction(
      segmentsBefore: before.0, bytesBefore: before.1, segmentsAfter: segments.count, bytesAfter: byteCount)
  }

  private func write(_ numbers: [Int], to path: String, _ origin: ReplayOrigin) throws {
    try SegmentWriter.seal(path, origin: origin, count: numbers.count) { row in
      (try self.group(numbers[row]), self.index.entry(numbers[row])!.byteCount)
    }
  }

  private func shape(_ number: Int) throws -> [Int] {
    guard case .segment(let segment, _)? = index.location(number) else {
      return try group(number).trajectories[0].states.shape
    }
    return segments[segment]!.stateShape
  }

  /// Numbers of the groups of each segment to be.
  private func portions() throws -> [[Int]] {
    var portions: [[Int]] = []
    var bytes = 0
    var current: [Int]?
    for number in index.numbers {
      let size = index.entry(number)!.byteCount, shape = try shape(number)
      if shape == current, bytes + size <= settings.segmentBytes, portions.last!.count < settings.segmentGroups {
        portions[portions.count - 1].append(number)
        bytes += size
      } else {
        portions.append([number])
        (bytes, current) = (size, shape)
      }
    }
    return portions
  }
}
