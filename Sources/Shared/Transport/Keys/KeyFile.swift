// Reading and writing of key files. A file has mode 0600 from its creation on, and is never partially written.

internal import Foundation
internal import Glibc

/// Files of key pairs and allow-lists.
enum KeyFile {
  /// Identifies the state of a file, to detect changes.
  struct Stamp: Equatable {
    let inode: UInt
    let size: Int
    let seconds: Int
    let nanoseconds: Int
  }

  /// The state of a file; nil if it does not exist.
  static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Stamp(
      inode: UInt(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
  }

  /// The text and the mode of a file.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  static func read(_ path: String) throws -> (text: String, mode: UInt32) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw TransportError(
        .keys, code: errno,
        "\(path): could not read the key file: \(String(cString: strerror(errno))). Make one with `stepwise keys`.")
    }
    guard status.st_size < 1 << 20 else {
      throw TransportError(.keys, "\(path): expected a key file, found a file of \(status.st_size) bytes.")
    }
    do { return (try String(contentsOfFile: path, encoding: .utf8), status.st_mode) } catch {
      throw TransportError(.keys, "\(path): could not read the key file: \(error.localizedDescription)")
    }
  }

  /// Writes a new file.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  static func create(_ path: String, _ text: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      let reason = errno == EEXIST ? "it already exists" : String(cString: strerror(errno))
      throw TransportError(.keys, "\(path): could not create the key file: \(reason). Choose another folder or name.")
    }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(path)
      throw TransportError(.keys, "\(path): could not write the key file: \(reason).")
    }
  }

  /// Replaces a file atomically.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  static func replace(_ path: String, _ text: String) throws {
    let partial = "\(path).\(getpid()).partial"
    try create(partial, text)
    guard rename(partial, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(partial)
      throw TransportError(.keys, "\(path): could not replace the file: \(reason).")
    }
  }
}
