// What a rename promises only when the disk has it.

internal import Foundation
internal import Glibc

/// Waits until a file's or folder's content is on disk.
///
/// - Throws: `TrainingError` naming it and the system's reason.
func synchronize(_ url: URL) throws {
  let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw failure("opened to be synced", url) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw failure("synced to disk", url) }
}

/// Renames over whatever is at the target, and waits until the folder of both is on disk.
///
/// - Throws: `TrainingError` naming the file and the system's reason.
func renameDurably(_ source: URL, to target: URL, in folder: URL) throws {
  guard rename(source.path, target.path) == 0 else { throw failure("renamed to \(target.path)", source) }
  try synchronize(folder)
}

private func failure(_ verb: String, _ url: URL) -> TrainingError {
  TrainingError("\(url.path): could not be \(verb): \(String(cString: strerror(errno))); free space or check the folder")
}

/// Whether this is the system's way of saying that a disk or quota is full.
func isOutOfSpace(_ error: any Error) -> Bool {
  if let error = error as? CocoaError, error.code == .fileWriteOutOfSpace { return true }
  // Files are written by several layers, whose errors have in common only the system's words.
  let words = [ENOSPC, EDQUOT].map { String(cString: strerror($0)) } + [CocoaError(.fileWriteOutOfSpace).localizedDescription]
  return words.contains { "\(error)".contains($0) }
}
