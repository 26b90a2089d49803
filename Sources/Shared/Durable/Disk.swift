// Files that survive a crash: a file under its final name is whole and on disk, and a rename or removal that returned
// is on disk too.

internal import Foundation
internal import Glibc

/// Durable changes of files and folders. Every function throws `SystemError`.
package enum Disk {
  /// The name under which a file is written before it gets its own name. It differs between processes.
  package static func partial(_ path: String) -> String { "\(path).\(getpid())\(partialSuffix)" }

  /// How the name of an unfinished file ends.
  package static let partialSuffix = ".partial"

  /// Writes a file in one step: after a crash it has either its old content or all of the new content.
  ///
  /// - Parameter permissions: those of the new file, from its first moment on.
  package static func writeWhole(
    _ bytes: some Collection<UInt8>, to path: String, permissions: UInt32 = 0o644
  ) throws {
    let bytes = Array(bytes)
    try writeWhole(to: path, permissions: permissions) { write in try bytes.withUnsafeBytes { try write($0) } }
  }

  /// Writes a file in one step, part by part.
  ///
  /// - Parameter body: passes the parts of the file to `write`, one after another.
  package static func writeWhole(
    to path: String, permissions: UInt32 = 0o644,
    _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    let partial = partial(path)
    discard(partial)
    do {
      let file = try OpenFile(partial, .creatingNew, permissions: permissions)
      var end = 0
      try body { part in
        try file.write(part, at: end)
        end += part.count
      }
      try file.synchronize()
      try rename(partial, to: path)
    } catch {
      discard(partial)
      if let error = error as? SystemError, error.path == partial {
        throw SystemError(error.problem, path: path, code: error.code, advice: error.advice)
      }
      throw error
    }
  }

  /// Creates a file that must not exist yet; an existing one fails with EEXIST and stays as it is.
  package static func create(_ bytes: [UInt8], at path: String, permissions: UInt32 = 0o644) throws {
    let file = try OpenFile(path, .creatingNew, permissions: permissions)
    do {
      try file.write(bytes, at: 0)
      try file.synchronize()
    } catch {
      discard(path)
      throw error
    }
    try synchronizeFolder(folder(of: path))
  }

  /// Renames a file or folder over the file at the target, and waits until the rename is on disk.
  package static func rename(_ source: String, to target: String) throws {
    try FileCall.rename.on(source) { Glibc.rename(source, target) }
    try synchronizeFolder(folder(of: target))
  }

  /// Removes a file, and waits until the removal is on disk.
  package static func remove(_ path: String) throws {
    try FileCall.remove.on(path) { unlink(path) }
    try synchronizeFolder(folder(of: path))
  }

  /// Removes an unfinished file if possible. An error is ignored because the failure that made the file useless is the
  /// one to report.
  package static func discard(_ path: String) { _ = try? FileCall.remove.on(path) { unlink(path) } }

  /// Waits until the names in a folder are on disk.
  package static func synchronizeFolder(_ path: String) throws { try OpenFile(path, .reading).synchronize() }

  package static func createFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw SystemError("could not be created", path: path, cause: error)
    }
  }

  /// The names in a folder, sorted.
  package static func names(in path: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw SystemError("could not be listed", path: path, cause: error)
    }
  }

  package static func read(_ path: String) throws -> [UInt8] {
    let file = try OpenFile(path, .reading)
    return try file.read(0..<file.byteCount())
  }

  private static func folder(of path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return folder.isEmpty ? "." : folder
  }
}
