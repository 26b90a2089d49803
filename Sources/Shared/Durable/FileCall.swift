// Every system call on a file goes through here: interrupted calls are repeated, failures become a `SystemError`, and a
// test can make any call fail. This is the only way to see every point at which a crash or a bad disk can stop a
// commit, a seal or a recovery.

internal import Glibc

package enum FileCall: String, Sendable {
  case open, write, read, rename
  case remove = "unlink"
  case seek = "lseek"
  case truncate = "ftruncate"
  case synchronizeData = "fdatasync"
  case synchronize = "fsync"
  case lock = "flock"
  /// HDF5 begins to write a segment.
  case hdf5

  private var problem: String {
    switch self {
    case .open: "could not be opened"
    case .write, .hdf5: "could not be written"
    case .read, .seek: "could not be read"
    case .rename: "could not be renamed"
    case .remove: "could not be removed"
    case .truncate: "could not be shortened"
    case .synchronize, .synchronizeData: "could not be synced to disk"
    case .lock: "could not be locked"
    }
  }

  /// Makes the call on a path.
  ///
  /// - Parameter body: returns a negative number and sets errno when it fails.
  /// - Throws: `SystemError`.
  @discardableResult
  package func on<Result: SignedInteger>(_ path: String, _ body: () -> Result) throws -> Result {
    let fault = DiskFaults.current?.decide(self, path)
    while true {
      let result = fault == nil ? body() : -1
      let code = fault ?? errno
      if result >= 0 { return result }
      if code != EINTR { throw SystemError(problem, path: path, code: code) }
    }
  }
}

/// Faults that a test injects into the code that runs within `$current.withValue`.
package struct DiskFaults: Sendable {
  /// The faults in force; nil outside such a test.
  @TaskLocal package static var current: DiskFaults?

  /// Called before every system call.
  ///
  /// - Returns: the errno with which the call fails without being made; nil lets the call happen.
  package let decide: @Sendable (_ call: FileCall, _ path: String) -> Int32?

  package init(_ decide: @escaping @Sendable (_ call: FileCall, _ path: String) -> Int32?) { self.decide = decide }
}
