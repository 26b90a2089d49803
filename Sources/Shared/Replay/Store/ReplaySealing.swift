// From journals to segments: a full journal ends, the next one begins, and the one that ended is sealed, in the
// background if requested. Until its segment exists its groups are read from the journal.

internal import Durable
internal import Foundation
internal import Settings
internal import Threads

extension ReplayStore {
  /// Seals the open journal when it is full, and drops the oldest segments beyond the limits. Call it after
  /// acknowledging.
  ///
  /// - Parameter inBackground: seals on a separate thread; a later call adopts the segment.
  /// - Throws: `ReplayError` or `SystemError`. On a full disk the groups stay in the journals, and sealing is tried again
  ///   some groups later.
  package func maintain(inBackground: Bool = false) throws {
    try requireWriting()
    do {
      try adoptSealed()
      if sealing == nil, journal.numbers.count >= nextSealing {
        if ended.isEmpty, isFull(times: 1) { try endJournal() }
        if let next = nextToSeal() {
          if inBackground {
            sealing = (next.number, ServiceThread(name: "sealing") { try next.write() })
          } else {
            try sealNow(next)
          }
        }
      }
      // The next journal is full as well: groups that arrive faster than they can be sealed have to wait.
      if isFull(times: 2) { try finishSealing() }
    } catch where isOutOfSpace(error) {
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
  /// - Throws: `ReplayError` or `SystemError`; the journals keep the groups then.
  package func seal() throws {
    try requireWriting()
    try finishSealing()
    while true {
      if ended.isEmpty {
        if journal.numbers.isEmpty { return }
        try endJournal()
      }
      guard let next = nextToSeal() else { return }
      try sealNow(next)
    }
  }

  /// Waits for the sealing in the background, if any, and adopts its segment.
  ///
  /// - Throws: the error of the sealing; the journal keeps its groups then.
  package func finishSealing() throws {
    guard let (number, thread) = sealing else { return }
    sealing = nil
    try thread.join()
    try replaceJournal(number)
  }

  private func adoptSealed() throws {
    if sealing?.thread.hasEnded == true { try finishSealing() }
  }

  /// The sealing of the oldest ended journal; nil when there is none.
  private func nextToSeal() -> Sealing? {
    guard let origin, let number = ended.keys.min(), let journal = ended[number] else { return nil }
    let groups = journal.numbers.sorted().compactMap { number -> (JournalRecord, Int)? in
      guard case .journal(_, let record)? = index.location(number), let entry = index.entry(number) else { return nil }
      return (record, entry.byteCount)
    }
    return Sealing(number: number, folder: folder.path, origin: origin, groups: groups)
  }

  private func sealNow(_ sealing: Sealing) throws {
    try sealing.write()
    try replaceJournal(sealing.number)
  }

  private func replaceJournal(_ number: Int) throws {
    try adopt(segment: number)
    ended[number] = nil
    nextSealing = 0
    try Disk.remove(ReplayFolder.journal(folder.path, number))
  }

  func endJournal() throws {
    let last = journal
    try beginJournal(last.number + 1)
    ended[last.number] = last
    nextSealing = 0
  }

  func beginJournal(_ number: Int) throws {
    let path = ReplayFolder.journal(folder.path, number)
    let marks = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
    try Disk.writeWhole(marks, to: path)
    journal = OpenJournal(number: number, file: try OpenFile(path, .updating), end: marks.count)
  }

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
    segmentByteCounts[number] = try OpenFile(path, .reading).byteCount()
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
      // A segment with the open journal's number gets the journal's groups later; see `sealRecovered`.
      guard let oldest = segments.keys.filter({ $0 != journal.number }).min(), let segment = segments[oldest],
        segment.entries.allSatisfy({ $0.epoch < oldestNeededEpoch })
      else { return }
      segments[oldest] = nil
      segmentByteCounts[oldest] = nil
      for number in index.remove(segment: oldest) {
        index.dropped.insert(number)
        cache.remove(number)
      }
      // The numbers are recorded before the segment is removed: a dropped group must not be stored again.
      let marks = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
      try journal.file.write(marks, at: journal.end)
      journal.end += marks.count
      try synchronize()
      try Disk.remove(segment.path)
    }
  }
}
