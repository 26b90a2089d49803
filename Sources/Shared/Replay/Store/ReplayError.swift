// What can go wrong with a replay folder, and what to do about it.

/// The replay cannot do what was asked.
package struct ReplayError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure, for those who go on after some of them.
  package enum Kind: Sendable, Equatable {
    /// No room; the store is as it was before, and works again when there is.
    case full
    /// A system call failed. After a failed `commit` nothing may be acknowledged: end, and recover from disk.
    case system
    /// Data on disk is not what was written.
    case damaged
    /// Another process has the folder.
    case locked
    /// What was asked for is not stored.
    case absent
    /// What is stored belongs elsewhere, or is of another version.
    case foreign
  }

  /// What kind of failure.
  package let kind: Kind
  /// The folder or file it is about.
  package let path: String
  /// What was expected, what was found, what to do.
  package let problem: String

  /// A failure; `problem` says what was expected, what was found, what to do.
  package init(_ kind: Kind, path: String, _ problem: String) {
    self.kind = kind
    self.path = path
    self.problem = problem
  }

  package var description: String { "replay \(path): \(problem)" }
}

/// Damage found and set aside; everything else works on.
package struct ReplayDamage: Sendable, Equatable, CustomStringConvertible {
  /// The file that holds or held the damage.
  package let path: String
  /// What was found, and what was done with it.
  package let problem: String
  /// A write that a crash cut short, at the journal's end. What was never committed is no loss.
  package let isTornTail: Bool

  package var description: String { "\(path): \(problem)" }
}
