// The system calls of the replay, each with its error: what is written is written whole, and a rename is durable.

internal import Foundation

#if canImport(Glibc)
  internal import Glibc
#endif

/// A file descriptor and the calls on it; closes it when it goes.
struct OpenFile: ~Copyable {
  let path: String
  private let descriptor: Int32
  private var isLocked = false

  /// - Parameter flags: of open(2).
  init(_ path: String, _ flags: Int32) throws {
    self.path = path
    descriptor = try Disk.call("open", path) { open(path, flags | O_CLOEXEC, 0o644) }
  }

  deinit {
    // A process that is being started has a copy of every descriptor until its program begins, and would hold the lock.
    if isLocked { flock(descriptor, LOCK_UN) }
    close(descriptor)
  }

  /// Writes all bytes at an offset.
  func write(_ bytes: [UInt8], at offset: Int) throws { try bytes.withUnsafeBytes { try write($0, at: offset) } }

  /// Writes all bytes at an offset.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws { try write([bytes], at: offset) }

  /// Writes three parts at an offset, one after another, in one call where the system takes them all.
  func write(_ parts: ([UInt8], UnsafeRawBufferPointer, [UInt8]), at offset: Int) throws {
    try parts.0.withUnsafeBytes { first in
      try parts.2.withUnsafeBytes { third in try write([first, parts.1, third], at: offset) }
    }
  }

  private func write(_ parts: [UnsafeRawBufferPointer], at offset: Int) throws {
    var offset = offset
    var rest = parts[...]
    while !rest.isEmpty {
      let vectors = rest.map { iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count) }
      var written = try Disk.call("write", path) { pwritev(descriptor, vectors, Int32(vectors.count), off_t(offset)) }
      offset += written
      while let first = rest.first, written >= first.count {
        written -= first.count
        rest.removeFirst()
      }
      if let first = rest.popFirst() {
        rest = [UnsafeRawBufferPointer(rebasing: first[written...])] + rest
      }
    }
  }

  /// Reads exactly this range.
  func read(_ range: Range<Int>) throws -> [UInt8] {
    var outcome = Result<Void, any Error>.success(())
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      outcome = Result {
        try read(into: .init(start: buffer.baseAddress, count: range.count), at: range.lowerBound)
        count = range.count
      }
    }
    try outcome.get()
    return bytes
  }

  /// Fills a buffer with what lies at an offset.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var count = 0
    while count < buffer.count {
      let got = try Disk.call("read", path) {
        pread(descriptor, buffer.baseAddress! + count, buffer.count - count, off_t(offset + count))
      }
      if got == 0 {
        throw ReplayError(.damaged, path: path, "expected \(offset + buffer.count) bytes, found a shorter file")
      }
      count += got
    }
  }

  func byteCount() throws -> Int {
    Int(try Disk.call("lseek", path) { lseek(descriptor, 0, SEEK_END) })
  }

  func truncate(to count: Int) throws { _ = try Disk.call("ftruncate", path) { ftruncate(descriptor, off_t(count)) } }

  /// Waits until what was written is on disk.
  func synchronize() throws { _ = try Disk.call("fdatasync", path) { fdatasync(descriptor) } }

  /// Waits until what was written, and the file's size and times, are on disk.
  func synchronizeAll() throws { _ = try Disk.call("fsync", path) { fsync(descriptor) } }

  /// Keeps other processes out, for as long as this file is open.
  mutating func lock() throws {
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw ReplayError(
        .locked, path: (path as NSString).deletingLastPathComponent,
        "another process writes to this folder; end it, or choose another run folder")
    }
    isLocked = true
  }
}

/// Durable changes of folders.
enum Disk {
  /// Repeats interrupted calls; a negative result becomes an error that says which call failed on which path.
  static func call<Result: SignedInteger>(_ name: String, _ path: String, _ body: () -> Result) throws -> Result {
    let fault = DiskFaults.current?.decide(name, path)
    while true {
      let result = fault == nil ? body() : -1
      let code = fault ?? errno
      if result >= 0 { return result }
      if code == EINTR { continue }
      let text = "\(name): \(String(cString: strerror(code)))"
      if code == ENOSPC || code == EDQUOT {
        throw ReplayError(.full, path: path, "\(text); free some room, the intake goes on by itself")
      }
      throw ReplayError(.system, path: path, text)
    }
  }

  static func synchronizeFolder(_ path: String) throws {
    let folder = try OpenFile(path, O_RDONLY | O_DIRECTORY)
    try folder.synchronizeAll()
  }

  /// Replaces `to` by `from` in one instant, and waits until that is on disk.
  static func rename(_ from: String, to: String) throws {
    _ = try call("rename", from) { Glibc.rename(from, to) }
    try synchronizeFolder((to as NSString).deletingLastPathComponent)
  }

  /// A file that is either there with all its bytes on disk, or not there.
  static func writeWhole(_ bytes: [UInt8], to path: String) throws {
    let partial = path + ".partial"
    do {
      let file = try OpenFile(partial, O_WRONLY | O_CREAT | O_TRUNC)
      try file.write(bytes, at: 0)
      try file.synchronizeAll()
    } catch {
      discard(partial)
      throw error
    }
    try rename(partial, to: path)
  }

  /// Removes what a failed write left, where that is possible; the next opening of the folder removes it else.
  static func discard(_ path: String) { _ = try? call("unlink", path) { unlink(path) } }

  static func remove(_ path: String) throws {
    _ = try call("unlink", path) { unlink(path) }
    try synchronizeFolder((path as NSString).deletingLastPathComponent)
  }

  static func makeFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw ReplayError(.system, path: path, "the folder cannot be made: \(error.localizedDescription)")
    }
  }

  /// Names in a folder, sorted.
  static func names(in path: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw ReplayError(.system, path: path, "the folder cannot be read: \(error.localizedDescription)")
    }
  }
}
