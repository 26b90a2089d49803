// The replay of a run: groups are appended to a journal, committed together, sealed as HDF5 segments when there are
// enough, and dropped by age when there are too many. What `commit` returned for is on disk and stays through any
// crash. A group's number is stored once, in this life or a later one.
//
// A store has one owner thread. Another process that writes to the same folder is refused.

internal import Engine
public import Foundation
public import Messages

#if canImport(Glibc)
  internal import Glibc
#endif

/// A folder of trajectory groups.
public final class ReplayStore {
  /// Where it is.
  public let folder: URL
  /// Its sizes and limits.
  public let settings: ReplaySettings
  /// What was found damaged when the folder was opened, and set aside.
  public internal(set) var damage: [ReplayDamage] = []
  /// Segments that hold a group of this epoch or a later one are kept whatever the limits say.
  public var oldestNeededEpoch = 0

  let isReadOnly: Bool
  var origin: ReplayOrigin?
  var index = ReplayIndex()
  var cache: GroupCache
  var segments: [Int: SegmentReader] = [:]
  var segmentByteCounts: [Int: Int] = [:]
  var journal: OpenJournal
  private var lock: OpenFile?
  private var isBroken = false
  /// Groups in the journal at which sealing is tried.
  private var sealingThreshold: Int

  /// The journal being written.
  struct OpenJournal: ~Copyable {
    var number: Int
    var file: OpenFile
    var end: Int
    /// The groups in it, in order of arrival.
    var numbers: [Int] = []
    /// Shape of the first group's states.
    var shape: [Int]?
  }

  /// Opens a folder for writing, making it where it is missing, and recovers from whatever happened.
  ///
  /// - Throws: `ReplayError`: `.locked` when another process writes there, `.foreign` when it holds another run's or
  ///   another model's groups.
  public convenience init(folder: URL, origin: ReplayOrigin, settings: ReplaySettings = ReplaySettings()) throws {
    try self.init(folder, origin, settings, isReadOnly: false)
  }

  /// Opens a folder for reading only, beside a process that may be writing to it; nothing is changed.
  ///
  /// - Throws: `ReplayError` when there is no replay.
  public convenience init(reading folder: URL) throws {
    try self.init(folder, nil, ReplaySettings(), isReadOnly: true)
  }

  private init(_ folder: URL, _ origin: ReplayOrigin?, _ settings: ReplaySettings, isReadOnly: Bool) throws {
    self.folder = folder
    self.origin = origin
    self.settings = settings
    self.isReadOnly = isReadOnly
    sealingThreshold = settings.segmentGroups
    cache = GroupCache(limit: settings.cacheBytes)
    if isReadOnly {
      guard let last = try ReplayFolder.journals(folder.path).last else {
        throw ReplayError(
          .absent, path: folder.path, "expected a replay (journal-* and segment-*.h5 files), found no journal")
      }
      journal = try OpenJournal(number: last, file: OpenFile(ReplayFolder.journal(folder.path, last), O_RDONLY), end: 0)
    } else {
      try Disk.makeFolder(folder.path)
      let lock = try OpenFile(folder.path + "/lock", O_RDWR | O_CREAT)
      try lock.lock()
      self.lock = consume lock
      let last = try ReplayFolder.prepare(folder.path)
      journal = try OpenJournal(number: last, file: OpenFile(ReplayFolder.journal(folder.path, last), O_RDWR), end: 0)
    }
    try recover()
  }

  // MARK: Writing

  /// What became of an appended group.
  public enum Insertion: Sendable, Equatable {
    /// It is stored, and on disk after the next `commit`.
    case stored
    /// Its number had been stored before; nothing was done.
    case duplicate
  }

  /// Appends a group to the journal.
  ///
  /// - Parameters:
  ///   - group: of this run.
  ///   - bytes: the `Message` that it came as.
  /// - Throws: `ReplayError`: `.full` leaves the store as it was, and usable.
  @discardableResult
  public func append(_ group: TrajectoryGroup, bytes: [UInt8]) throws -> Insertion {
    try bytes.withUnsafeBytes { try append(group, bytes: $0) }
  }

  /// Appends a group to the journal, whose message lies in memory of somebody else's.
  ///
  /// - Throws: as above.
  @discardableResult
  public func append(_ group: TrajectoryGroup, bytes: UnsafeRawBufferPointer) throws -> Insertion {
    try requireWriting()
    guard group.runID == origin?.runID else {
      throw ReplayError(
        .foreign, path: folder.path, "expected a group of run \(origin?.runID ?? ""), found one of \(group.runID)")
    }
    if index.contains(group.number) { return .duplicate }
    let shape = group.trajectories[0].states.shape
    // A segment's datasets have one shape.
    if let other = journal.shape, other != shape { try seal() }
    let (header, checksum) = JournalRecord.frame(.group, number: group.number, payload: bytes)
    let size = header.count + bytes.count + checksum.count
    do {
      try journal.file.write((header, bytes, checksum), at: journal.end)
    } catch {
      do { try journal.file.truncate(to: journal.end) } catch { isBroken = true }
      throw error
    }
    let range = journal.end..<journal.end + size
    cache.insert(group)
    note(
      ReplayEntry(group, byteCount: bytes.count), JournalRecord(type: .group, number: group.number, range: range), shape
    )
    return .stored
  }

  /// Remembers a record that the journal holds.
  func note(_ entry: ReplayEntry, _ record: JournalRecord, _ shape: [Int]) {
    index.insert(entry, at: .journal(record))
    journal.numbers.append(entry.number)
    journal.shape = shape
    journal.end = max(journal.end, record.range.upperBound)
  }

  /// Waits until everything appended is on disk, where the settings ask for that. Only then may it be acknowledged.
  ///
  /// - Throws: `ReplayError`; the store is unusable then: what is on disk is known only after opening it again.
  public func commit() throws {
    try requireWriting()
    if settings.waitsForDisk { try synchronize() }
  }

  private func synchronize() throws {
    do {
      try journal.file.synchronize()
    } catch {
      isBroken = true
      throw error
    }
  }

  /// Seals the open segment when it is large enough, and drops the oldest beyond the limits. Call it after
  /// acknowledging, since sealing takes a while.
  ///
  /// - Throws: `ReplayError`: `.full` leaves everything in the journal, to be tried again some groups later.
  public func maintain() throws {
    try requireWriting()
    if journal.numbers.count >= sealingThreshold || journal.end >= settings.segmentBytes {
      do {
        try seal()
      } catch let error as ReplayError where error.kind == .full {
        sealingThreshold = journal.numbers.count + max(settings.segmentGroups / 4, 1)
        throw error
      }
    }
    try dropOldest()
  }

  /// Seals the groups in the journal now, in order of their numbers.
  ///
  /// - Throws: `ReplayError`; the journal keeps them then.
  public func seal() throws {
    try requireWriting()
    guard let origin, !journal.numbers.isEmpty else { return }
    try synchronize()
    let number = journal.number
    let path = ReplayFolder.segment(folder.path, number)
    let numbers = journal.numbers.sorted()
    try SegmentWriter.seal(path, origin: origin, count: numbers.count, level: settings.compression) { row in
      let group = try self.read(numbers[row])
      return (group, self.index.entry(numbers[row])!.byteCount)
    }
    try adopt(segment: number)
    try beginJournal(number + 1)
    try Disk.remove(ReplayFolder.journal(folder.path, number))
    sealingThreshold = settings.segmentGroups
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

  /// Goes on in a new journal, which first says what was dropped.
  func beginJournal(_ number: Int) throws {
    let path = ReplayFolder.journal(folder.path, number)
    let marks = JournalRecord.encode(.marks, number: 0, payload: index.dropped.encoded)
    try Disk.writeWhole(marks, to: path)
    journal = try OpenJournal(number: number, file: OpenFile(path, O_RDWR), end: marks.count)
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

  private func requireWriting() throws {
    if isReadOnly { throw ReplayError(.locked, path: folder.path, "it was opened for reading only") }
    if isBroken {
      throw ReplayError(
        .system, path: folder.path, "an earlier write failed; end, and start again to recover from what is on disk")
    }
  }
}
