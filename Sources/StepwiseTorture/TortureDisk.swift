// A small disk of its own for a run, so that it can be full without harm to anybody else.

import Foundation
import Supervision
import Glibc

/// A tmpfs at a folder, where mounting is allowed; else the folder.
final class TortureDisk {
  let folder: URL
  /// Whether it can be filled.
  let isOwn: Bool

  /// - Throws: `CommandError` when the folder cannot be made.
  init(_ folder: URL, mebibytes: Int) throws {
    self.folder = folder
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    isOwn = mount("stepwise-torture", folder.path, "tmpfs", 0, "size=\(mebibytes)m") == 0
  }

  private var ballast: String { folder.appending(path: "ballast").path }

  /// Leaves no byte free.
  func fill() {
    let descriptor = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    for size in [1 << 20, 4096, 512, 1] {
      let bytes = [UInt8](repeating: 7, count: size)
      while write(descriptor, bytes, size) == size {}
    }
  }

  /// Gives the room back.
  func empty() { unlink(ballast) }

  /// Takes the disk away; what is on it is gone.
  func end() { if isOwn { umount2(folder.path, Int32(MNT_DETACH)) } }
}
