// Ending in order: a flag that goes up once.

internal import Synchronization

/// Goes up once and stays up. Safe in any thread.
public final class StopFlag: Sendable {
  private let flag = Atomic(false)

  /// A flag that is down.
  public init() {}

  /// Raises the flag.
  public func set() { flag.store(true, ordering: .releasing) }

  /// Whether it is up.
  public var isSet: Bool { flag.load(ordering: .acquiring) }
}
