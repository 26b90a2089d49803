// The only place where a thread waits for sockets.

package import Threads
internal import CZeroMQ
internal import Glibc

/// What a wait is about: a socket of this thread, to be read or written. Use it only while the socket lives.
package struct Interest {
  let handle: UnsafeMutableRawPointer
  let events: Int16
}

extension Socket {
  /// There is a message to receive.
  package var readable: Interest { Interest(handle: handle, events: Int16(ZMQ_POLLIN)) }
  /// A message could be handed over; for a ROUTER this means only that some peer can take one.
  package var writable: Interest { Interest(handle: handle, events: Int16(ZMQ_POLLOUT)) }

  /// Waits for a message at most `timeout`; nil when none came.
  ///
  /// - Throws: `TransportError`, of kind `.refusedKey` soon after the peer refused this process's key.
  package func receive(timeout: Duration) throws -> [[UInt8]]? {
    if let message = try receive() { return message }
    let poller = Poller()
    let end = ContinuousClock.now + timeout
    while true {
      let left = end - ContinuousClock.now
      // In slices, because a refusal rings no bell.
      _ = try poller.wait(for: [readable], timeout: min(max(left, .zero), .milliseconds(100)))
      if let message = try receive() { return message }
      if left <= .zero { return nil }
    }
  }
}

/// What a wait found.
package struct Readiness: Sendable {
  let ready: [Bool]
  /// Whether the wake-up was rung since the last wait.
  package let wokenUp: Bool

  /// Whether the interest at this place of the list came true.
  package subscript(position: Int) -> Bool { ready[position] }
  /// Whether nothing at all happened.
  package var isEmpty: Bool { !wokenUp && !ready.contains(true) }
}

/// Waits for sockets of one thread, and for a `Waker` of any thread.
package struct Poller {
  private let waker: Waker?

  /// - Parameter waker: interrupts the waits of this poller.
  package init(waker: Waker? = nil) { self.waker = waker }

  /// Waits until an interest comes true, the wake-up rings, a signal arrives, or `timeout` has passed.
  ///
  /// - Returns: what is ready; nothing after a time-out or a signal.
  /// - Throws: `TransportError` of kind `.system`.
  package func wait(for interests: [Interest], timeout: Duration) throws -> Readiness {
    var items = interests.map { zmq_pollitem_t(socket: $0.handle, fd: 0, events: $0.events, revents: 0) }
    if let waker {
      items.append(zmq_pollitem_t(socket: nil, fd: waker.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
    }
    let parts = timeout.components
    // Rounded up: rounding down would spin through the last millisecond.
    let milliseconds = max(0, Int(parts.seconds) * 1000 + Int((parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    let result = sw_zmq_poll(&items, Int32(items.count), milliseconds)
    guard result >= 0 || -result == Int(EINTR) else {
      throw TransportError.system(Int32(-result), "waiting for \(interests.count) sockets")
    }
    let woken = waker?.clear() ?? false
    return Readiness(
      ready: items.prefix(interests.count).map { result > 0 && $0.revents & $0.events != 0 }, wokenUp: woken)
  }
}
