// The sealing of one journal that has ended: it reads the journal's file and writes a segment, and touches nothing
// else, so that it may run beside the store that goes on in the next journal.

internal import Foundation
internal import Messages

/// One journal's groups on their way into a segment. It is run once, on any thread.
final class Sealing: @unchecked Sendable {  // its state is guarded by the condition
  /// Of the journal and of the segment to be.
  let number: Int
  private let journal: String
  private let segment: String
  private let origin: ReplayOrigin
  /// Ascending by number, each with the size of its message.
  private let groups: [(record: JournalRecord, byteCount: Int)]
  private let condition = NSCondition()
  private var outcome: Result<Void, any Error>?

  /// - Parameters:
  ///   - folder: the replay's.
  ///   - groups: those of the journal, at least one, whose states have one shape.
  init(
    _ number: Int, in folder: String, origin: ReplayOrigin, groups: [(record: JournalRecord, byteCount: Int)]
  ) {
    self.number = number
    journal = ReplayFolder.journal(folder, number)
    segment = ReplayFolder.segment(folder, number)
    self.origin = origin
    self.groups = groups.sorted { $0.record.number < $1.record.number }
  }

  /// Runs here, and notes how it ended.
  func run() {
    let result = Result { try write() }
    condition.lock()
    outcome = result
    condition.broadcast()
    condition.unlock()
  }

  /// Runs on a thread of its own.
  func start() {
    let thread = Thread { self.run() }
    thread.name = "sealing"
    thread.stackSize = 16 << 20
    thread.start()
  }

  /// How it ended; nil while it runs.
  var result: Result<Void, any Error>? {
    condition.lock()
    defer { condition.unlock() }
    return outcome
  }

  /// Blocks until it has ended.
  func wait() {
    condition.lock()
    while outcome == nil { condition.wait() }
    condition.unlock()
  }

  private func write() throws {
    let file = try OpenFile(journal, O_RDONLY)
    // Where commits do not wait for the disk, the segment must not be there before what it was made from.
    try file.synchronize()
    try SegmentWriter.seal(segment, origin: origin, count: groups.count) { row in
      (try file.group(groups[row].record), groups[row].byteCount)
    }
  }
}

extension OpenFile {
  /// Reads a group's record, which must be what it was when it was found.
  func group(_ record: JournalRecord) throws -> TrajectoryGroup {
    let bytes = try read(record.range)
    let content = bytes.withUnsafeBytes { JournalContent($0) }
    guard content.records.first?.number == record.number, content.records.first?.range == 0..<bytes.count,
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
