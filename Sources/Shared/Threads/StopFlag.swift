// Requests an orderly end: a flag that is set once.

internal import Synchronization

/// A flag that is set once and stays set. Any thread may use it.
package final class StopFlag: Sendable {
  private let flag = Atomic(false)

  package init() {}

  package func set() { flag.store(true, ordering: .releasing) }

  package var isSet: Bool { flag.load(ordering: .acquiring) }
}
