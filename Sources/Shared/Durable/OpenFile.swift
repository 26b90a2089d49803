// A file descriptor with one owner: writes and reads are complete or throw, and the file is closed when its owner ends.

internal import Glibc

/// An open file. Every method throws `SystemError`.
package struct OpenFile: ~Copyable {
  package enum Access: Sendable {
    case reading
    /// Reads and writes a file that exists.
    case updating
    /// Reads and writes; a missing file is created.
    case creating
    /// Reads and writes a new file; one of this name fails with EEXIST.
    case creatingNew

    fileprivate var flags: Int32 {
      switch self {
      case .reading: O_RDONLY
      case .updating: O_RDWR
      case .creating: O_RDWR | O_CREAT
      case .creatingNew: O_RDWR | O_CREAT | O_EXCL
      }
    }
  }

  package let path: String
  private let descriptor: Int32
  private var isLocked = false

  /// - Parameter permissions: those of a file that is created.
  package init(_ path: String, _ access: Access, permissions: UInt32 = 0o644) throws {
    self.path = path
    descriptor = try FileCall.open.on(path) { open(path, access.flags | O_CLOEXEC, permissions) }
  }

  deinit {
    // A child process has copies of all descriptors between fork and exec, and would hold the lock that long.
    if isLocked { flock(descriptor, LOCK_UN) }
    close(descriptor)
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws { try bytes.withUnsafeBytes { try write($0, at: offset) } }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws { try write([bytes], at: offset) }

  /// Writes three parts at an offset, one after another, in a single call where the system takes them all.
  package func write(_ parts: ([UInt8], UnsafeRawBufferPointer, [UInt8]), at offset: Int) throws {
    try parts.0.withUnsafeBytes { first in
      try parts.2.withUnsafeBytes { third in try write([first, parts.1, third], at: offset) }
    }
  }

  private func write(_ parts: [UnsafeRawBufferPointer], at offset: Int) throws {
    var offset = offset
    var rest = parts.filter { !$0.isEmpty }[...]
    while !rest.isEmpty {
      let vectors = rest.map { iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count) }
      var written = try FileCall.write.on(path) { pwritev(descriptor, vectors, Int32(vectors.count), off_t(offset)) }
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

  /// Appends all bytes, or nothing: a part that was written before an error is removed.
  package func append(_ bytes: [UInt8]) throws {
    let end = try byteCount()
    do { try write(bytes, at: end) } catch {
      try truncate(to: end)
      throw error
    }
  }

  /// Fills a buffer from an offset on. Returns bytes read, fewer than the buffer holds only where the file ends.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var count = 0
    while count < buffer.count {
      let read = try FileCall.read.on(path) {
        pread(descriptor, buffer.baseAddress! + count, buffer.count - count, off_t(offset + count))
      }
      if read == 0 { break }
      count += read
    }
    return count
  }

  /// The bytes of a range, fewer only where the file ends.
  package func read(_ range: Range<Int>) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      count = try read(into: .init(start: buffer.baseAddress, count: range.count), at: range.lowerBound)
    }
  }

  package func byteCount() throws -> Int {
    Int(try FileCall.seek.on(path) { lseek(descriptor, 0, SEEK_END) })
  }

  package func truncate(to count: Int) throws {
    try FileCall.truncate.on(path) { ftruncate(descriptor, off_t(count)) }
  }

  /// Waits until the content is on disk.
  package func synchronizeData() throws { try FileCall.synchronizeData.on(path) { fdatasync(descriptor) } }

  /// Waits until the content and the file's size and times are on disk.
  package func synchronize() throws { try FileCall.synchronize.on(path) { fsync(descriptor) } }

  /// Takes the kernel's exclusive lock on the file, which lasts as long as the file is open.
  ///
  /// - Returns: false when another process has it.
  /// - Throws: `SystemError` when the file system cannot lock.
  package mutating func lock() throws -> Bool {
    do {
      try FileCall.lock.on(path) { flock(descriptor, LOCK_EX | LOCK_NB) }
    } catch let error as SystemError where error.code == EWOULDBLOCK {
      return false
    }
    isLocked = true
    return true
  }
}
