// System calls that fail when a test says so: the only way to see every point at which a crash or a bad disk can stop a
// commit, a seal or a recovery. Without a test there is none in force.

/// Decides over the replay's system calls, for code that runs within `$current.withValue`.
package struct DiskFaults: Sendable {
  /// Those in force; nil: every call goes to the system.
  @TaskLocal package static var current: DiskFaults?

  /// Called with the name of a system call (open, write, read, lseek, ftruncate, fdatasync, fsync, rename, unlink, or
  /// hdf5 for the writing of a segment) and its path before it is made.
  ///
  /// - Returns: the errno that it fails with instead of being made; nil: it is made.
  package let decide: @Sendable (_ call: String, _ path: String) -> Int32?

  /// Faults by a rule.
  package init(_ decide: @escaping @Sendable (_ call: String, _ path: String) -> Int32?) { self.decide = decide }
}
