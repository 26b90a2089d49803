// One learner per run folder. On one machine the kernel's lock keeps other learners out as long as the process lives.
// If several machines share the folder, the lock may not reach them, so the holder also renews a lease in the same
// file. A learner on another machine watches the lease, and takes the folder only if nothing changes for the whole
// lease. No clocks of two machines are compared. A process wrongly presumed dead finds a new owner in the lock file
// before its next save, and exits.

internal import Basics
internal import Dispatch
internal import Durable
internal import Foundation
internal import Glibc
internal import Logging
internal import Synchronization
internal import Training

/// The right to write to a run's folder, as long as the object exists.
final class RunLock: @unchecked Sendable {  // the timer is only held, never used after init but to cancel it
  private struct Holder: Codable, Sendable, Equatable {
    let host: String
    let process: Int32
    /// When it took the folder, for the log.
    let since: String
    /// Differs between processes with the same number.
    let token: String
    var renewals: Int

    var text: String { "process \(process) on \(host), since \(since)" }
  }

  /// Time without a renewal after which a holder on another machine counts as dead.
  static let lease: Duration = .seconds(15)
  private static let renewalMilliseconds = 3000

  private let file: OpenFile
  private let holder: Mutex<Holder>
  private let timer: any DispatchSourceTimer

  /// Takes a folder, which is created if it is missing.
  ///
  /// - Parameters:
  ///   - host: this machine's name.
  ///   - lease: how long to watch the lease of a holder on another machine.
  /// - Throws: `TrainingError` naming the holder when there is one; `SystemError` when the folder cannot be written or
  ///   locked.
  init(_ folder: URL, host: String = ProcessInfo.processInfo.hostName, lease: Duration = lease, logger: Logger) throws {
    try Disk.createFolder(folder.path)
    var file = try OpenFile(folder.appending(path: "lock").path, .creating)
    let isFree = try file.lock()
    let found = try Self.read(file)
    if !isFree { throw Self.taken(folder, found) }
    if let found, found.host != host { try Self.watch(file, found, lease, folder, logger) }
    var generator = SystemRandomNumberGenerator()
    let mine = Holder(
      host: host, process: getpid(), since: Date().formatted(.iso8601), token: String(generator.next(), radix: 36),
      renewals: 0)
    try Self.write(mine, file)
    holder = Mutex(mine)
    self.file = consume file
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "run lock"))
    timer.schedule(
      deadline: .now() + .milliseconds(Self.renewalMilliseconds), repeating: .milliseconds(Self.renewalMilliseconds))
    timer.setEventHandler { [weak self] in
      // A lost folder is reported again by `verify`, before anything is saved.
      do { try self?.renew() } catch { logger.error("\(error)") }
    }
    timer.activate()
  }

  deinit {
    timer.cancel()
    // An empty file ends the lease, so that the next learner need not wait. If this fails, it waits.
    if (try? Self.read(file))??.token == holder.withLock({ $0.token }) { try? file.truncate(to: 0) }
  }

  /// Makes sure that the folder still belongs to this learner.
  ///
  /// - Throws: `TrainingError` naming the new holder; `SystemError`.
  func verify() throws {
    let mine = holder.withLock { $0 }
    // Opened by its name, because the file may have been replaced.
    let found: Holder?
    do { found = try Self.read(OpenFile(file.path, .reading)) } catch let error as SystemError where error.code == ENOENT {
      found = nil
    }
    guard found?.token == mine.token else {
      throw TrainingError(
        "\(file.path): this learner no longer holds the run folder; "
          + (found.map { "\($0.text) has taken it" } ?? "the file names no holder")
          + ". This learner ends without saving. Only one learner may work on a run.")
    }
  }

  private func renew() throws {
    try verify()
    let renewed = holder.withLock { holder in
      holder.renewals += 1
      return holder
    }
    try Self.write(renewed, file)
  }

  private static func taken(_ folder: URL, _ holder: Holder?) -> TrainingError {
    TrainingError(
      "\(folder.path): another learner works on this run" + (holder.map { " (\($0.text))" } ?? "")
        + "; end it, or choose another run folder")
  }

  /// Watches the lease of a holder on another machine. Throws `TrainingError` when it is renewed.
  private static func watch(
    _ file: borrowing OpenFile, _ found: Holder, _ lease: Duration, _ folder: URL, _ logger: Logger
  ) throws {
    logger.warning(
      "\(folder.path): \(found.text) has not released this folder; watching for \(lease.seconds) s whether it is alive")
    let end = ContinuousClock.now + lease
    while ContinuousClock.now < end {
      // A shared file system reports no events of other machines, so the file has to be read again and again.
      usleep(100_000)
      if let now = try read(file), now != found { throw taken(folder, now) }
    }
    logger.warning("\(folder.path): \(found.text) counts as dead; this learner takes the folder")
  }

  /// Nil when the file names no holder.
  private static func read(_ file: borrowing OpenFile) throws -> Holder? {
    let bytes = try file.read(0..<4096)
    return try? JSONDecoder().decode(Holder.self, from: Data(bytes))
  }

  /// Writes in place, because the kernel's lock belongs to the file, not to its name. The text is padded, so that a
  /// shorter one leaves no part of the text before it.
  private static func write(_ holder: Holder, _ file: borrowing OpenFile) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var bytes = Array(try encoder.encode(holder))
    bytes += [UInt8](repeating: 0x20, count: max(0, 511 - bytes.count)) + [0x0A]
    try file.write(bytes, at: 0)
    try file.synchronize()
  }
}
