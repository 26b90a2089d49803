// One learner to a run folder. On one machine the kernel keeps the others out, for as long as the process lives. Where
// several machines share the folder it may not, so the holder also renews a lease in the same file; who comes from
// another machine watches it, and takes the folder only when nothing has changed for a whole lease. No two machines'
// clocks are compared. Who was taken for dead and lives on finds another's name in the file before it saves, and ends.

internal import Dispatch
internal import Foundation
internal import Glibc
internal import Logging
internal import Synchronization
internal import Training

/// The right to write to a run's folder, until it goes.
final class RunLock: @unchecked Sendable {  // the timer is only held, never used after init but to cancel it
  /// What the file says of its holder.
  private struct Holder: Codable, Sendable, Equatable {
    let host: String
    let process: Int32
    /// When it took the folder, for people.
    let since: String
    /// Tells lives apart.
    let token: String
    /// Grows with every renewal.
    var renewals: Int

    var text: String { "process \(process) on \(host), since \(since)" }
  }

  /// Time without a renewal after which a holder on another machine counts as dead.
  static let lease: Duration = .seconds(15)
  private static let renewalMilliseconds = 3000

  private let file: URL
  private let descriptor: Int32
  private let holder: Mutex<Holder>
  private let timer: any DispatchSourceTimer

  /// Takes a folder, which is made where it is missing.
  ///
  /// - Parameters:
  ///   - host: this machine's name.
  ///   - lease: time to watch the lease of a holder on another machine.
  /// - Throws: `TrainingError` naming the holder when there is one, or when the folder cannot be written.
  init(_ folder: URL, host: String = ProcessInfo.processInfo.hostName, lease: Duration = lease, logger: Logger) throws {
    file = folder.appending(path: "lock")
    do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
      throw TrainingError("\(folder.path): it could not be made: \(error.localizedDescription); choose another run folder")
    }
    descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw TrainingError(
        "\(file.path): could not be opened: \(String(cString: strerror(errno))); choose another run folder")
    }
    do {
      let isFree = flock(descriptor, LOCK_EX | LOCK_NB) == 0
      let found = Self.read(descriptor)
      if !isFree { throw Self.taken(folder, found) }
      if let found, found.host != host { try Self.watch(descriptor, found, lease, folder, logger) }
      var generator = SystemRandomNumberGenerator()
      let mine = Holder(
        host: host, process: getpid(), since: Date().formatted(.iso8601), token: String(generator.next(), radix: 36),
        renewals: 0)
      holder = Mutex(mine)
      try Self.write(mine, descriptor, file)
    } catch {
      close(descriptor)
      throw error
    }
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "run lock"))
    timer.schedule(
      deadline: .now() + .milliseconds(Self.renewalMilliseconds), repeating: .milliseconds(Self.renewalMilliseconds))
    timer.setEventHandler { [weak self] in
      // What cannot be renewed now is found by `verify`, before anything is saved.
      do { try self?.renew() } catch { logger.error("\(error)") }
    }
    timer.activate()
  }

  deinit {
    timer.cancel()
    // The lease ends with it: nobody has to wait for it to run out.
    if Self.read(descriptor)?.token == holder.withLock({ $0.token }) { ftruncate(descriptor, 0) }
    flock(descriptor, LOCK_UN) // a process that is being started may hold a copy of the descriptor for a moment
    close(descriptor)
  }

  /// Makes sure that the folder is still this learner's.
  ///
  /// - Throws: `TrainingError` naming who has taken it.
  func verify() throws {
    let mine = holder.withLock { $0 }
    // By its name: the file may have been replaced.
    let now = open(file.path, O_RDONLY | O_CLOEXEC)
    defer { if now >= 0 { close(now) } }
    let found = now >= 0 ? Self.read(now) : nil
    guard found?.token == mine.token else {
      throw TrainingError(
        "\(file.deletingLastPathComponent().path): expected to hold this run folder, found "
          + (found?.text ?? "nobody's name in \(file.lastPathComponent)")
          + "; this learner ends without saving. Only one learner may work on a run.")
    }
  }

  private func renew() throws {
    try verify()
    let renewed = holder.withLock { holder in
      holder.renewals += 1
      return holder
    }
    try Self.write(renewed, descriptor, file)
  }

  private static func taken(_ folder: URL, _ holder: Holder?) -> TrainingError {
    TrainingError(
      "\(folder.path): expected a run folder that no learner works on, found one at work"
        + (holder.map { " (\($0.text))" } ?? "") + "; end it, or choose another run folder")
  }

  /// Waits a lease long for a sign of life of a holder on another machine.
  private static func watch(
    _ descriptor: Int32, _ found: Holder, _ lease: Duration, _ folder: URL, _ logger: Logger
  ) throws {
    logger.warning(
      """
      \(folder.path): \(found.text) has not given this folder back; \
      waiting \(lease.components.seconds) s for a sign of life
      """)
    let end = ContinuousClock.now + lease
    while ContinuousClock.now < end {
      // A shared file system tells no events of other machines: it has to be read again.
      usleep(100_000)
      if let now = read(descriptor), now != found { throw taken(folder, now) }
    }
    logger.warning("\(folder.path): \(found.text) is taken for dead")
  }

  private static func read(_ descriptor: Int32) -> Holder? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    return try? JSONDecoder().decode(Holder.self, from: Data(bytes.prefix(count)))
  }

  /// In place, because the kernel's lock is the file's, not its name's; padded, so that no write leaves part of
  /// another.
  private static func write(_ holder: Holder, _ descriptor: Int32, _ file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var bytes = Array(try encoder.encode(holder))
    bytes += [UInt8](repeating: 0x20, count: max(0, 511 - bytes.count)) + [0x0A]
    guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, fsync(descriptor) == 0 else {
      throw TrainingError("\(file.path): could not be written: \(String(cString: strerror(errno))); free space")
    }
  }
}
