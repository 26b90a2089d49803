// Reading and writing the files of keys: never wider open than 0600 for a moment, never half written.

internal import Foundation
internal import Glibc

/// Files of keys and of allow-lists.
enum KeyFile {
  /// Tells one state of a file from another.
  struct Stamp: Equatable {
    let inode: UInt
    let size: Int
    let seconds: Int
    let nanoseconds: Int
  }

  /// The state of a file; nil when it is not there.
  static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Stamp(
      inode: UInt(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
  }

  /// A file's text and mode.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  static func read(_ path: String) throws -> (text: String, mode: UInt32) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw TransportError(
        .keys, "\(path): expected a file of keys: \(String(cString: strerror(errno))). Make one with `stepwise keys`.")
    }
    guard status.st_size < 1 << 20 else {
      throw TransportError(.keys, "\(path): expected a file of keys, found \(status.st_size) bytes.")
    }
    do { return (try String(contentsOfFile: path, encoding: .utf8), status.st_mode) } catch {
      throw TransportError(.keys, "\(path): expected a readable file of keys: \(error.localizedDescription)")
    }
  }

  /// Writes a file that must not exist yet.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  static func create(_ path: String, _ text: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      let reason = errno == EEXIST ? "it exists already, and is left as it is" : String(cString: strerror(errno))
      throw TransportError(.keys, "\(path): expected a new file of keys: \(reason). Choose another folder or name.")
    }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(path)
      throw TransportError(.keys, "\(path): it could not be written: \(reason).")
    }
  }

  /// Replaces a file in one step.
  ///
  /// - Throws: `TransportError` of kind `.keys`.
  static func replace(_ path: String, _ text: String) throws {
    let partial = "\(path).\(getpid()).partial"
    try create(partial, text)
    guard rename(partial, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(partial)
      throw TransportError(.keys, "\(path): it could not be replaced: \(reason).")
    }
  }
}
