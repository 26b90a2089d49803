// What can go wrong with a replay folder beyond a failed system call, which is a `SystemError`.

/// The replay cannot do what was asked.
package struct ReplayError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Kind: Sendable, Equatable {
    /// An earlier write failed. Nothing may be acknowledged: end, and recover from disk.
    case broken
    /// Data on disk is not what was written.
    case damaged
    /// Another process has the folder, or it was opened for reading only.
    case locked
    /// The group or the replay is not stored.
    case absent
    /// The stored data belongs to another run or model, or has another version.
    case foreign
  }

  package let kind: Kind
  package let path: String
  package let problem: String

  package init(_ kind: Kind, path: String, _ problem: String) {
    (self.kind, self.path, self.problem) = (kind, path, problem)
  }

  package var description: String { "replay \(path): \(problem)" }
}

/// Damage that was found and set aside; everything else stays usable.
package struct ReplayDamage: Sendable, Equatable, CustomStringConvertible {
  package let path: String
  /// What was found, and what was done with it.
  package let problem: String
  /// A write at the journal's end that a crash cut short. It was never committed, so nothing is lost.
  package let isTornTail: Bool

  package var description: String { "\(path): \(problem)" }
}
