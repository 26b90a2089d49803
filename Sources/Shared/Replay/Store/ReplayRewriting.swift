// Writes stored groups again: chosen groups to a separate file, or all groups into fewer, full segments. Compaction
// removes an old file only when the new ones are complete, so a crash loses nothing.

internal import Durable
internal import Engine
package import Foundation
internal import Messages
internal import Settings

extension ReplayStore {
  /// Writes groups to an HDF5 file with the layout of a sealed segment.
  ///
  /// - Parameters:
  ///   - numbers: numbers of stored groups, at least one, whose states have one shape. The groups are written in
  ///     ascending order.
  ///   - file: replaced if it exists. After a crash it is complete or as it was.
  /// - Throws: `ReplayError` when a group is absent or damaged, or shapes differ; `SystemError`.
  package func export(_ numbers: [Int], to file: URL) throws {
    check(!numbers.isEmpty, "export: no groups")
    let numbers = Set(numbers).sorted()
    let first = try group(numbers[0])
    for number in numbers.dropFirst() {
      let shape = try shape(number)
      guard shape == first.trajectories[0].states.shape else {
        throw ReplayError(
          .foreign, path: folder.path,
          "the states have shape \(first.trajectories[0].states.shape) in group \(numbers[0]) and \(shape) in group "
            + "\(number); export groups of different shapes to different files")
      }
    }
    let origin = origin ?? ReplayOrigin(runID: first.runID, modelHash: "", configuration: "")
    try write(numbers, to: file.path, origin)
  }

  package struct Compaction: Sendable, Equatable {
    package let segmentsBefore: Int, bytesBefore: Int
    package let segmentsAfter: Int, bytesAfter: Int
  }

  /// Writes all groups into as few segments as `settings` allow, in the order of their numbers, and removes the old
  /// segments. No other process may read the folder meanwhile.
  ///
  /// - Throws: `ReplayError` or `SystemError`; every group is still stored then, and a later compaction finishes the work.
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

  /// The numbers of the groups of each new segment.
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
