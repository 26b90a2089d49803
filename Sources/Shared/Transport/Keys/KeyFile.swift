// Reading and writing of key files. A file has mode 0600 from its creation on, and is never partially written.

internal import Durable
internal import Foundation
internal import Glibc

enum KeyFile {
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

  /// The text and the mode of a file. Throws `TransportError` of kind `.keys`.
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

  /// Writes a new file. Throws `TransportError` of kind `.keys` when it exists; `SystemError`.
  static func create(_ path: String, _ text: String) throws {
    do {
      try Disk.create(Array(text.utf8), at: path, permissions: permissions)
    } catch let error as SystemError where error.code == EEXIST {
      throw TransportError(.keys, "\(path): the file already exists and was not replaced. Choose another folder or name.")
    }
  }

  /// Replaces a file atomically. Throws `SystemError`.
  static func replace(_ path: String, _ text: String) throws {
    try Disk.writeWhole(text.utf8, to: path, permissions: permissions)
  }

  /// Only the owner may read and write.
  private static let permissions: UInt32 = 0o600
}
