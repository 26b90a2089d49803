// Files that survive a crash: a file under its final name is whole and on disk.

package import Foundation
internal import Glibc

/// Waits until the content of a file or folder is on disk.
///
/// - Throws: `SystemError`.
package func synchronize(_ url: URL) throws {
  let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw SystemError("\(url.path): could not be opened to be synced", advice: advice) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw SystemError("\(url.path): could not be synced to disk", advice: advice) }
}

/// Renames a file or folder over whatever is at the target, and waits until the rename is on disk.
///
/// - Throws: `SystemError`.
package func renameDurably(_ source: URL, to target: URL) throws {
  guard rename(source.path, target.path) == 0 else {
    throw SystemError("\(source.path): could not be renamed to \(target.path)", advice: advice)
  }
  try synchronize(target.deletingLastPathComponent())
}

/// Writes a file in one step: after a crash it has either its old content or all of the new content.
///
/// - Throws: `SystemError`; the target is unchanged then.
package func writeDurably(_ bytes: some Collection<UInt8>, to target: URL) throws {
  let partial = target.appendingPathExtension("partial-\(getpid())")
  do {
    let descriptor = open(partial.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemError("\(target.path): could not be written", advice: advice) }
    defer { close(descriptor) }
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw SystemError("\(target.path): could not be written", advice: advice) }
      rest = rest.dropFirst(count)
    }
    guard fsync(descriptor) == 0 else { throw SystemError("\(target.path): could not be synced to disk", advice: advice) }
    try renameDurably(partial, to: target)
  } catch {
    unlink(partial.path)
    throw error
  }
}

private let advice = "free space, or check the folder"
