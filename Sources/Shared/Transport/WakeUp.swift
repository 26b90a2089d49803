// A bell that any thread may ring and one Poller hears, so that nobody waits out a time-out.

internal import CZeroMQ
internal import Glibc

/// Interrupts a waiting `Poller` from another thread. Rings before the wait are not lost, and several count as one.
public final class WakeUp: Sendable {
  let descriptor: Int32

  /// - Throws: `TransportError` when no descriptor is left.
  public init() throws {
    descriptor = sw_bell_open()
    guard descriptor >= 0 else { throw TransportError.system(errno, "opening an event descriptor") }
  }

  deinit { close(descriptor) }

  /// Rings. Safe in any thread and in a signal handler; never blocks.
  public func ring() { sw_bell_ring(descriptor) }

  /// Takes all rings so far; whether there were any.
  func clear() -> Bool { sw_bell_clear(descriptor) != 0 }
}
