// From journals to segments, and out again: a journal that is full ends, the next one begins, and the one that ended is
// sealed, beside the store where that is asked for. Until its segment is there its groups are read from the journal.

internal import Foundation
internal import Settings

extension ReplayStore {
  /// Seals the open journal when it is full, and drops the oldest segments beyond the limits. Call it after
  /// acknowledging.
  ///
  /// - Parameter inBackground: leaves the sealing to a thread of its own; a later call takes over what came of it.
  /// - Throws: `ReplayError`: `.full` leaves everything in the journals, to be tried again some groups later.
  package func maintain(inBackground: Bool = false) throws {
    try requireWriting()
    do {
      try takeSealed()
      let isTime = sealing == nil && journal.numbers.count >= nextSealing
      if isTime, ended.isEmpty, isFull(times: 1) { try endJournal() }
      if isTime, !ended.isEmpty {
        sealing = nextToSeal()
        if inBackground { sealing?.start() } else { sealing?.run() }
        try takeSealed()
      }
      // The next journal is full as well: what comes faster than it can be sealed has to wait.
      if isFull(times: 2) { try finishSealing() }
    } catch let error as ReplayError where error.kind == .full {
      nextSealing = journal.numbers.count + max(settings.segmentGroups / 4, 1)
      throw error
    }
    try dropOldest()
  }

  private func isFull(times: Int) -> Bool {
    let count = journal.numbers.count
    return count >= times * settings.segmentGroups || count > 0 && journal.end / times >= settings.segmentBytes
  }

  /// Seals all groups that are in journals now.
  ///
  /// - Throws: `ReplayError`; the journals keep them then.
  package func seal() throws {
    try requireWriting()
    try finishSealing()
    while true {
      if ended.isEmpty {
        if journal.numbers.isEmpty { return }
        try endJournal()
      }
      sealing = nextToSeal()
      sealing?.run()
      try takeSealed()
    }
  }

  /// Waits for the sealing that is under way, if any, and takes over its segment.
  ///
  /// - Throws: `ReplayError` of the sealing; the journal keeps its groups then.
  package func finishSealing() throws {
    sealing?.wait()
    try takeSealed()
  }

  /// What the oldest ended journal needs to be sealed.
  private func nextToSeal() -> Sealing? {
    guard let origin, let number = ended.keys.min(), let journal = ended[number] else { return nil }
    let groups = journal.numbers.compactMap { number -> (JournalRecord, Int)? in
      guard case .journal(_, let record)? = index.location(number), let entry = index.entry(number) else { return nil }
      return (record, entry.byteCount)
    }
    return Sealing(number, in: folder.path, origin: origin, groups: groups)
  }

  /// Puts the segment of a sealing that has ended in its journal's place.
  private func takeSealed() throws {
    guard let done = sealing, let result = done.result else { return }
    sealing = nil
    try result.get()
    try adopt(segment: done.number)
    ended[done.number] = nil
    nextSealing = 0
    try Disk.remove(ReplayFolder.journal(folder.path, done.number))
  }

  /// The open journal takes no more groups; the next one begins.
  func endJournal() throws {
    let last = journal
    try beginJournal(last.number + 1)
    ended[last.number] = last
    nextSealing = 0
  }

  /// Goes on in a new journal, which first says what was dropped.
  func beginJournal(_ number: Int) throws {
    let path = ReplayFolder.journal(folder.path, number)
    let marks = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
    try Disk.writeWhole(marks, to: path)
    journal = OpenJournal(number: number, file: try OpenFile(path, O_RDWR), end: marks.count)
  }

  /// Takes a sealed segment's groups into the index.
  func adopt(segment number: Int) throws {
    let path = ReplayFolder.segment(folder.path, number)
    let segment = try SegmentReader(path)
    if let origin {
      try requireSame("run", origin.runID, segment.origin.runID, path)
      try requireSame("model", origin.modelHash, segment.origin.modelHash, path)
    } else {
      origin = segment.origin
    }
    segments[number] = segment
    segmentByteCounts[number] = try OpenFile(path, O_RDONLY).byteCount()
    for (row, entry) in segment.entries.enumerated() { index.insert(entry, at: .segment(number, row: row)) }
  }

  private func requireSame(_ what: String, _ expected: String, _ found: String, _ path: String) throws {
    guard expected == found else {
      throw ReplayError(
        .foreign, path: path, "expected the \(what) \(expected), found \(found); choose another run folder")
    }
  }

  private func dropOldest() throws {
    while index.trajectoryCount > settings.maximumTrajectories || byteCount > settings.maximumBytes {
      // One that was sealed without room for the next journal is still being added to.
      guard let oldest = segments.keys.filter({ $0 != journal.number }).min(), let segment = segments[oldest],
        segment.entries.allSatisfy({ $0.epoch < oldestNeededEpoch })
      else { return }
      segments[oldest] = nil
      segmentByteCounts[oldest] = nil
      for number in index.remove(segment: oldest) {
        index.dropped.insert(number)
        cache.remove(number)
      }
      // First remembered, then deleted: a number must not come back.
      let marks = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
      try journal.file.write(marks, at: journal.end)
      journal.end += marks.count
      try synchronize()
      try Disk.remove(segment.path)
    }
  }
}
