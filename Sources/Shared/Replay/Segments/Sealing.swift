// Seals one journal that has ended: reads the journal's file and writes a segment. It touches nothing else, so it can run
// on a separate thread while the store fills the next journal.

internal import Durable
internal import Messages

/// One journal whose groups go into a segment.
struct Sealing: Sendable {
  /// The number of the journal and of its segment.
  let number: Int
  let folder: String
  let origin: ReplayOrigin
  /// The journal's groups, at least one, ascending by number, each with the size of its message. All states have one
  /// shape.
  let groups: [(record: JournalRecord, byteCount: Int)]

  /// Writes the segment. Throws `ReplayError` or `SystemError`; there is no segment then.
  func write() throws {
    let file = try OpenFile(ReplayFolder.journal(folder, number), .reading)
    // Where commits do not wait for the disk, the journal must reach it before the segment that replaces it.
    try file.synchronizeData()
    try SegmentWriter.seal(ReplayFolder.segment(folder, number), origin: origin, count: groups.count) { row in
      (try file.group(groups[row].record), groups[row].byteCount)
    }
  }
}

extension OpenFile {
  /// Fills a buffer from an offset on. Throws `ReplayError` of kind `.damaged` when the file ends before.
  func readWhole(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    guard try read(into: buffer, at: offset) == buffer.count else {
      throw ReplayError(.damaged, path: path, "expected \(offset + buffer.count) bytes, found a shorter file")
    }
  }

  /// Reads the record of a group, which must still have the bytes that were found when the journal was opened.
  func group(_ record: JournalRecord) throws -> TrajectoryGroup {
    let bytes = try read(record.range)
    let content = bytes.withUnsafeBytes { JournalContent($0) }
    guard content.records.first?.number == record.number, content.records.first?.range == 0..<record.range.count,
      case .group(let group) = try bytes.withUnsafeBytes({
        try Message(decoding: .init(rebasing: $0[JournalRecord.headerSize..<bytes.count - 4]), from: path)
      })
    else {
      throw ReplayError(
        .damaged, path: path,
        "expected group \(record.number) at byte \(record.range.lowerBound), found other bytes")
    }
    return group
  }
}
