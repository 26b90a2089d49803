// A small disk for a run that can be filled without harm to other processes.

import Foundation
import Glibc
import Supervision

/// A tmpfs mounted at a folder, or the folder itself where mounting is not permitted.
final class TortureDisk {
  let folder: URL
  /// Whether a tmpfs was mounted, which can be filled.
  let isOwn: Bool

  init(_ folder: URL, mebibytes: Int) throws {
    self.folder = folder
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    isOwn = mount("stepwise-torture", folder.path, "tmpfs", 0, "size=\(mebibytes)m") == 0
  }

  private var ballast: String { folder.appending(path: "ballast").path }

  func fill() {
    let descriptor = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    for size in [1 << 20, 4096, 512, 1] {
      let bytes = [UInt8](repeating: 7, count: size)
      while write(descriptor, bytes, size) == size {}
    }
  }

  func empty() { unlink(ballast) }

  /// Unmounts the disk with everything on it.
  func end() { if isOwn { umount2(folder.path, Int32(MNT_DETACH)) } }
}
