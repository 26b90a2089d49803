// The replay of a run: groups are appended to a journal, committed together, sealed as HDF5 segments when there are
// enough, and dropped by age when there are too many. What `commit` returned for is on disk and stays through any
// crash. A group's number is stored once, in this life or a later one.
//
// A store has one owner thread. Another process that writes to the same folder is refused.

internal import Engine
package import Foundation
package import Messages
package import Settings

#if canImport(Glibc)
  internal import Glibc
#endif

/// A folder of trajectory groups.
package final class ReplayStore {
  /// Where it is.
  package let folder: URL
  /// Its sizes and limits.
  package let settings: ReplaySettings
  /// What was found damaged when the folder was opened, and set aside.
  package internal(set) var damage: [ReplayDamage] = []
  /// Segments that hold a group of this epoch or a later one are kept whatever the limits say.
  package var oldestNeededEpoch = 0

  let isReadOnly: Bool
  var origin: ReplayOrigin?
  var index = ReplayIndex()
  var cache: GroupCache
  var segments: [Int: SegmentReader] = [:]
  var segmentByteCounts: [Int: Int] = [:]
  var journal: OpenJournal
  /// Journals before it that are not sealed yet, by number.
  var ended: [Int: OpenJournal] = [:]
  /// The sealing of the first of them, where it has begun.
  var sealing: Sealing?
  /// Groups in the open journal at which an ended one is sealed: more after there was no room for it.
  var nextSealing = 0
  private var lock: OpenFile?
  private var isBroken = false

  /// A journal's file and what is in it. Its owner is the store.
  final class OpenJournal {
    let number: Int
    var file: OpenFile
    var end: Int
    /// The groups in it, in order of arrival.
    var numbers: [Int] = []
    /// Shape of the first group's states.
    var shape: [Int]?

    init(number: Int, file: consuming OpenFile, end: Int) {
      self.number = number
      self.file = file
      self.end = end
    }
  }

  /// Opens a folder for writing, making it where it is missing, and recovers from whatever happened.
  ///
  /// - Throws: `ReplayError`: `.locked` when another process writes there, `.foreign` when it holds another run's or
  ///   another model's groups.
  package convenience init(folder: URL, origin: ReplayOrigin, settings: ReplaySettings = ReplaySettings()) throws {
    try self.init(folder, origin, settings, isReadOnly: false)
  }

  /// Opens a folder for reading only, beside a process that may be writing to it; nothing is changed.
  ///
  /// - Throws: `ReplayError` when there is no replay.
  package convenience init(reading folder: URL) throws {
    try self.init(folder, nil, ReplaySettings { $0.cacheBytes = 0 }, isReadOnly: true)
  }

  private init(_ folder: URL, _ origin: ReplayOrigin?, _ settings: ReplaySettings, isReadOnly: Bool) throws {
    self.folder = folder
    self.origin = origin
    self.settings = settings
    self.isReadOnly = isReadOnly
    cache = GroupCache(limit: settings.cacheBytes)
    if isReadOnly {
      guard let last = try ReplayFolder.journals(folder.path).last else {
        throw ReplayError(
          .absent, path: folder.path, "expected a replay (journal-* and segment-*.h5 files), found no journal")
      }
      journal = OpenJournal(number: last, file: try OpenFile(ReplayFolder.journal(folder.path, last), O_RDONLY), end: 0)
    } else {
      try Disk.makeFolder(folder.path)
      var lock = try OpenFile(folder.path + "/lock", O_RDWR | O_CREAT)
      try lock.lock()
      self.lock = consume lock
      let last = try ReplayFolder.prepare(folder.path)
      journal = OpenJournal(number: last, file: try OpenFile(ReplayFolder.journal(folder.path, last), O_RDWR), end: 0)
    }
    try recover()
  }

  deinit {
    // Nothing writes to the folder any more when its lock is free.
    sealing?.wait()
  }

  // MARK: Writing

  /// What became of an appended group.
  package enum Insertion: Sendable, Equatable {
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
  package func append(_ group: TrajectoryGroup, bytes: [UInt8]) throws -> Insertion {
    try bytes.withUnsafeBytes { try append(group, bytes: $0, checksum: Self.checksum($0)) }
  }

  /// The checksum that a journal keeps of a message (CRC-32C). Taken on arrival, it covers the message from there on,
  /// and costs least while the processor's caches have the bytes.
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 { CRC32C.checksum(bytes) }

  /// Appends a group to the journal, whose message lies in memory of somebody else's.
  ///
  /// - Parameter checksum: of the message as it came.
  /// - Throws: as above.
  @discardableResult
  package func append(
    _ group: TrajectoryGroup, bytes: UnsafeRawBufferPointer, checksum: UInt32
  ) throws -> Insertion {
    try requireWriting()
    guard group.runID == origin?.runID else {
      throw ReplayError(
        .foreign, path: folder.path, "expected a group of run \(origin?.runID ?? ""), found one of \(group.runID)")
    }
    if index.contains(group.number) { return .duplicate }
    let shape = group.trajectories[0].states.shape
    // A segment's datasets have one shape.
    if let other = journal.shape, other != shape {
      try finishSealing()
      try endJournal()
    }
    let (header, end) = JournalRecord.frame(
      .group, number: group.number, byteCount: bytes.count, checksum: checksum)
    let size = header.count + bytes.count + end.count
    do {
      try journal.file.write((header, bytes, end), at: journal.end)
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
    index.insert(entry, at: .journal(journal.number, record))
    journal.numbers.append(entry.number)
    journal.shape = shape
    journal.end = max(journal.end, record.range.upperBound)
  }

  /// Waits until everything appended is on disk, where the settings ask for that. Only then may it be acknowledged.
  ///
  /// - Throws: `ReplayError`; the store is unusable then: what is on disk is known only after opening it again.
  package func commit() throws {
    try requireWriting()
    if settings.waitsForDisk { try synchronize() }
  }

  func synchronize() throws {
    do {
      try journal.file.synchronize()
    } catch {
      isBroken = true
      throw error
    }
  }

  func requireWriting() throws {
    if isReadOnly { throw ReplayError(.locked, path: folder.path, "it was opened for reading only") }
    if isBroken {
      throw ReplayError(
        .system, path: folder.path, "an earlier write failed; end, and start again to recover from what is on disk")
    }
  }
}
