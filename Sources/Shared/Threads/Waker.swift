// Wakes one `Poller` from any thread, so that no event waits for a timeout.

internal import CSystem
internal import Durable
internal import Glibc

/// Interrupts a waiting `Poller` from another thread. A wake-up before the wait is not lost; several count as one.
package final class Waker: Sendable {
  package let descriptor: Int32

  /// - Throws: `SystemError` when no file descriptor is left.
  package init() throws {
    descriptor = sw_waker_open()
    guard descriptor >= 0 else { throw SystemError("an event descriptor could not be opened") }
  }

  deinit { close(descriptor) }

  /// Wakes the poller. It is safe in any thread and in a signal handler, and never blocks.
  package func wake() { sw_waker_wake(descriptor) }

  /// Consumes all wake-ups so far. Returns whether there were any.
  package func clear() -> Bool { sw_waker_clear(descriptor) != 0 }
}
