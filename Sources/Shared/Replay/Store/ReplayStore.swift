// The replay of a run: groups are appended to a journal, committed together, sealed as HDF5 segments when there are
// enough, and dropped by age when there are too many. Groups are durable once `commit` has returned. A group's number
// is stored once, also after a restart.
//
// A store has one owner thread. A second process that wants to write to the same folder is refused.

internal import Durable
internal import Engine
package import Foundation
package import Messages
package import Settings
internal import Threads

package final class ReplayStore {
  package let folder: URL
  package let settings: ReplaySettings
  /// Damage that was found and set aside when the folder was opened.
  package internal(set) var damage: [ReplayDamage] = []
  /// A segment with a group of this epoch or a later one is kept, regardless of the limits.
  package var oldestNeededEpoch = 0

  let isReadOnly: Bool
  var origin: ReplayOrigin?
  var index = ReplayIndex()
  var cache: GroupCache
  var segments: [Int: SegmentReader] = [:]
  var segmentByteCounts: [Int: Int] = [:]
  var journal: OpenJournal
  /// Journals before `journal` that are not sealed yet, by number.
  var ended: [Int: OpenJournal] = [:]
  /// The sealing of the first of them in the background.
  var sealing: (number: Int, thread: ServiceThread)?
  /// Number of groups in the open journal from which on sealing is tried; it is raised when the disk was full.
  var nextSealing = 0
  private var lock: OpenFile?
  private var isBroken = false

  final class OpenJournal {
    let number: Int
    var file: OpenFile
    var end: Int
    var numbers: [Int] = []
    /// Shape of the states, the same for all its groups.
    var shape: [Int]?

    init(number: Int, file: consuming OpenFile, end: Int) {
      self.number = number
      self.file = file
      self.end = end
    }
  }

  /// Opens a folder for writing, creates it if it is missing, and recovers from a crash.
  ///
  /// - Throws: `ReplayError` of kind `.locked` when another process writes there, `.foreign` when the folder holds groups
  ///   of another run or model; `SystemError`.
  package convenience init(folder: URL, origin: ReplayOrigin, settings: ReplaySettings = ReplaySettings()) throws {
    try self.init(folder, origin, settings, isReadOnly: false)
  }

  /// Opens a folder for reading only. Another process may be writing to it. No file is changed.
  ///
  /// - Throws: `ReplayError` when there is no replay; `SystemError`.
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
          .absent, path: folder.path, "the folder holds no replay (journal-* and segment-*.h5 files)")
      }
      journal = OpenJournal(number: last, file: try OpenFile(ReplayFolder.journal(folder.path, last), .reading), end: 0)
    } else {
      try Disk.createFolder(folder.path)
      var lock = try OpenFile(folder.path + "/lock", .creating)
      guard try lock.lock() else {
        throw ReplayError(
          .locked, path: folder.path, "another process writes to this folder; end it, or choose another run folder")
      }
      self.lock = consume lock
      let last = try ReplayFolder.prepare(folder.path)
      journal = OpenJournal(number: last, file: try OpenFile(ReplayFolder.journal(folder.path, last), .updating), end: 0)
    }
    try recover()
  }

  deinit {
    // The lock must not be released while the folder is written to. The next opening adopts or removes the segment.
    try? sealing?.thread.join()
  }

  // MARK: Writing

  package enum Insertion: Sendable, Equatable {
    /// The group is stored, and on disk after the next `commit`.
    case stored
    /// A group of this number was stored before; nothing was done.
    case duplicate
  }

  /// Appends a group to the journal.
  ///
  /// - Parameters:
  ///   - group: a group of this run.
  ///   - bytes: the encoded `Message` of the group.
  /// - Throws: `ReplayError` or `SystemError`. A full disk leaves the store unchanged and usable.
  @discardableResult
  package func append(_ group: TrajectoryGroup, bytes: [UInt8]) throws -> Insertion {
    try bytes.withUnsafeBytes { try append(group, bytes: $0, checksum: Self.checksum($0)) }
  }

  /// The checksum that a journal keeps of a message (CRC-32C). It is computed on arrival, to cover the message from then
  /// on, and because it costs least while the bytes are in the processor's caches.
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 { CRC32C.checksum(bytes) }

  /// Appends a group to the journal without a copy of its message.
  ///
  /// - Parameter checksum: the checksum of the message on arrival.
  /// - Throws: as `append(_:bytes:)`.
  @discardableResult
  package func append(
    _ group: TrajectoryGroup, bytes: UnsafeRawBufferPointer, checksum: UInt32
  ) throws -> Insertion {
    try requireWriting()
    guard group.runID == origin?.runID else {
      throw ReplayError(
        .foreign, path: folder.path, "expected a group of run \(origin?.runID ?? ""), found one of run \(group.runID)")
    }
    if index.contains(group.number) { return .duplicate }
    let shape = group.trajectories[0].states.shape
    // All states of a segment have one shape.
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

  /// Adds a record of the open journal to the index.
  func note(_ entry: ReplayEntry, _ record: JournalRecord, _ shape: [Int]) {
    index.insert(entry, at: .journal(journal.number, record))
    journal.numbers.append(entry.number)
    journal.shape = shape
    journal.end = max(journal.end, record.range.upperBound)
  }

  /// Waits until all appended groups are on disk, unless `waitsForDisk` is off. Only then may they be acknowledged.
  ///
  /// - Throws: `SystemError`. The store is unusable then: what is on disk is known only after it is opened again.
  package func commit() throws {
    try requireWriting()
    if settings.waitsForDisk { try synchronize() }
  }

  func synchronize() throws {
    do {
      try journal.file.synchronizeData()
    } catch {
      isBroken = true
      throw error
    }
  }

  func requireWriting() throws {
    if isReadOnly { throw ReplayError(.locked, path: folder.path, "the replay was opened for reading only") }
    if isBroken {
      throw ReplayError(
        .broken, path: folder.path, "an earlier write failed; start the program again to recover from disk")
    }
  }
}
