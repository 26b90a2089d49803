// A bell that any thread may ring and one Poller hears, so that nobody waits out a time-out.

internal import CSystem
internal import Durable
internal import Glibc

/// Interrupts a waiting `Poller` from another thread. Rings before the wait are not lost, and several count as one.
package final class Waker: Sendable {
  package let descriptor: Int32

  /// - Throws: `SystemError` when no descriptor is left.
  package init() throws {
    descriptor = sw_waker_open()
    guard descriptor >= 0 else { throw SystemError("no event descriptor could be opened") }
  }

  deinit { close(descriptor) }

  /// Rings. Safe in any thread and in a signal handler; never blocks.
  package func wake() { sw_waker_wake(descriptor) }

  /// Takes all rings so far; whether there were any.
  package func clear() -> Bool { sw_waker_clear(descriptor) != 0 }
}
