// Opening a replay after a crash or damage: an unfinished write is removed, damage is moved to `quarantine` and reported,
// and everything else goes into the index.

internal import Durable
internal import Engine
internal import Foundation
internal import Messages

extension ReplayStore {
  func recover() throws {
    for number in try ReplayFolder.segments(folder.path) {
      do {
        try adopt(segment: number)
      } catch let error as ReplayError where error.kind == .damaged {
        try setAside(error, ReplayFolder.segment(folder.path, number))
      }
    }
    // A journal before the last one remains if a crash came before it was sealed or removed, or if its segment is
    // damaged.
    let last = journal.number
    for number in try ReplayFolder.journals(folder.path) where number < last { try recover(older: number) }
    try load(isLast: true)
    if segments[last] != nil, !isReadOnly {
      // The crash came after the sealing and before the next journal.
      try sealRecovered(last)
      try beginJournal(last + 1)
      try Disk.remove(ReplayFolder.journal(folder.path, last))
    }
  }

  /// Loads a journal before the last one, which is sealed later. A journal whose groups are all in segments is removed.
  private func recover(older number: Int) throws {
    let current = journal
    let path = ReplayFolder.journal(folder.path, number)
    journal = OpenJournal(number: number, file: try OpenFile(path, isReadOnly ? .reading : .updating), end: 0)
    try load(isLast: false)
    // The groups that a segment of this number has already must stay in it.
    if !isReadOnly, segments[number] != nil { try sealRecovered(number) }
    let hasAll = journal.numbers.allSatisfy { if case .segment? = index.location($0) { true } else { false } }
    if !hasAll { ended[number] = journal }
    journal = current
    if isReadOnly || !hasAll { return }
    // Its record of dropped numbers is lost with it, so it goes into the next journal first.
    journal.end = try Self.content(journal.file).end
    let marks = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
    try journal.file.write(marks, at: journal.end)
    try journal.file.synchronizeData()
    journal.end = 0
    try Disk.remove(path)
  }

  /// Seals the groups of the loaded journal together with those that its segment has already: if the disk was too full
  /// for the next journal, groups were still appended to the journal that was sealed.
  private func sealRecovered(_ number: Int) throws {
    guard !journal.numbers.isEmpty, let origin else { return }
    let sealed = segments[number]?.entries.map(\.number) ?? []
    let numbers = Set(sealed).union(journal.numbers).sorted()
    try SegmentWriter.seal(
      ReplayFolder.segment(folder.path, number), origin: origin, count: numbers.count
    ) { row in (try self.read(numbers[row]), self.index.entry(numbers[row])!.byteCount) }
    try adopt(segment: number)
  }

  private static func content(_ file: borrowing OpenFile) throws -> JournalContent {
    let bytes = try file.read(0..<file.byteCount())
    return bytes.withUnsafeBytes { JournalContent($0) }
  }

  private func load(isLast: Bool) throws {
    let size = try journal.file.byteCount()
    let bytes = try journal.file.read(0..<size)
    let content = bytes.withUnsafeBytes { JournalContent($0) }
    var bad = content.damaged
    var good: [JournalRecord] = []
    for record in content.records {
      let payload = Array(bytes[record.payload])
      if take(record, payload) { good.append(record) } else { bad.append(record.range) }
    }
    if content.end < size {
      damage.append(
        ReplayDamage(
          path: journal.file.path,
          problem:
            "the last \(size - content.end) of \(size) bytes are not a complete record, as after a crash; "
            + (isReadOnly ? "they are ignored" : "they were removed"), isTornTail: true))
      if !isReadOnly {
        try journal.file.truncate(to: content.end)
        try journal.file.synchronize()
      }
    }
    journal.end = content.end
    if !bad.isEmpty { try rewriteJournal(without: bad, bytes, good) }
  }

  /// Adds a record to the index. Returns false when the payload does not decode as the record's type.
  private func take(_ record: JournalRecord, _ payload: [UInt8]) -> Bool {
    switch record.type {
    case .marks:
      guard let marks = NumberSet(encoded: payload) else { return false }
      for range in marks.ranges { index.dropped.insert(range) }
      return true
    case .group:
      guard case .group(let group)? = try? Message(decoding: payload, from: journal.file.path),
        group.number == record.number, origin == nil || group.runID == origin?.runID
      else { return false }
      origin = origin ?? ReplayOrigin(runID: group.runID, modelHash: "", configuration: "")
      if !index.contains(group.number) {
        note(ReplayEntry(group, byteCount: payload.count), record, group.trajectories[0].states.shape)
      }
      return true
    }
  }

  /// Moves the damaged parts to `quarantine` and writes the rest under the journal's name.
  private func rewriteJournal(without bad: [Range<Int>], _ bytes: [UInt8], _ good: [JournalRecord]) throws {
    let path = journal.file.path
    for range in bad {
      let name = "\((path as NSString).lastPathComponent)-at-\(range.lowerBound)"
      var problem = "\(range.count) bytes at \(range.lowerBound) are damaged, and their group is lost"
      if !isReadOnly {
        try Disk.createFolder(ReplayFolder.quarantine(folder.path))
        try Disk.writeWhole(bytes[range], to: "\(ReplayFolder.quarantine(folder.path))/\(name)")
        problem += "; they are kept in quarantine/\(name)"
      }
      damage.append(ReplayDamage(path: path, problem: problem, isTornTail: false))
    }
    if isReadOnly { return }
    var rewritten = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
    for record in good where record.type == .group {
      let start = rewritten.count
      rewritten += bytes[record.range]
      guard case .journal(journal.number, record)? = index.location(record.number),
        let entry = index.entry(record.number)
      else {
        continue
      }
      index.insert(
        entry,
        at: .journal(
          journal.number, JournalRecord(type: .group, number: record.number, range: start..<rewritten.count)))
    }
    try Disk.writeWhole(rewritten, to: path)
    journal.file = try OpenFile(path, .updating)
    journal.end = rewritten.count
  }

  private func setAside(_ error: ReplayError, _ path: String) throws {
    let name = (path as NSString).lastPathComponent
    var problem = error.problem
    if !isReadOnly {
      try Disk.createFolder(ReplayFolder.quarantine(folder.path))
      try Disk.rename(path, to: "\(ReplayFolder.quarantine(folder.path))/\(name)")
      try Disk.synchronizeFolder(folder.path)
      problem += "; the file is kept in quarantine/\(name)"
    }
    damage.append(ReplayDamage(path: path, problem: problem, isTornTail: false))
  }
}
