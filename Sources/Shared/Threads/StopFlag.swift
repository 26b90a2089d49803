// Ending in order: a flag that goes up once.

internal import Synchronization

/// Goes up once and stays up. Safe in any thread.
package final class StopFlag: Sendable {
  private let flag = Atomic(false)

  /// A flag that is down.
  package init() {}

  /// Raises the flag.
  package func set() { flag.store(true, ordering: .releasing) }

  /// Whether it is up.
  package var isSet: Bool { flag.load(ordering: .acquiring) }
}
