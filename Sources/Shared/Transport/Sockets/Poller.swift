// Waiting for sockets. No other code of this module blocks a thread.

package import Threads
internal import CZeroMQ
internal import Glibc

/// A socket of this thread, and whether to wait until it can be read or written. Valid as long as the socket exists.
package struct Interest {
  let handle: UnsafeMutableRawPointer
  let events: Int16
}

extension Socket {
  package var readable: Interest { Interest(handle: handle, events: Int16(ZMQ_POLLIN)) }
  /// Interest in a queue with space. For a ROUTER this means that some peer can accept a message.
  package var writable: Interest { Interest(handle: handle, events: Int16(ZMQ_POLLOUT)) }

  /// Waits for a message for at most `timeout`; nil if none arrived.
  ///
  /// - Throws: `TransportError`, of kind `.refusedKey` soon after the peer refused the key of this process.
  package func receive(timeout: Duration) throws -> [[UInt8]]? {
    if let message = try receive() { return message }
    let poller = Poller()
    let end = ContinuousClock.now + timeout
    while true {
      let left = end - ContinuousClock.now
      // In slices, because a refusal does not wake the poller.
      _ = try poller.wait(for: [readable], timeout: min(max(left, .zero), .milliseconds(100)))
      if let message = try receive() { return message }
      if left <= .zero { return nil }
    }
  }
}

package struct Readiness: Sendable {
  let ready: [Bool]
  package let wokenUp: Bool

  package subscript(position: Int) -> Bool { ready[position] }
  /// Whether no socket is ready and the waker was not used.
  package var isEmpty: Bool { !wokenUp && !ready.contains(true) }
}

/// Waits for the sockets of one thread, and for a `Waker` that any thread may use.
package struct Poller {
  private let waker: Waker?

  package init(waker: Waker? = nil) { self.waker = waker }

  /// Waits until a socket is ready, the waker is used, a signal arrives, or `timeout` has passed.
  ///
  /// - Returns: An empty result after a time-out or a signal.
  /// - Throws: `TransportError` of kind `.system`.
  package func wait(for interests: [Interest], timeout: Duration) throws -> Readiness {
    var items = interests.map { zmq_pollitem_t(socket: $0.handle, fd: 0, events: $0.events, revents: 0) }
    if let waker {
      items.append(zmq_pollitem_t(socket: nil, fd: waker.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
    }
    let parts = timeout.components
    // Rounded up: rounding down would poll without pause during the last millisecond.
    let fraction = (parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    let milliseconds = max(0, Int(parts.seconds * 1000 + fraction))
    let result = sw_zmq_poll(&items, Int32(items.count), milliseconds)
    guard result >= 0 || -result == Int(EINTR) else {
      throw TransportError.system(Int32(-result), "could not wait for \(interests.count) sockets")
    }
    let woken = waker?.clear() ?? false
    return Readiness(
      ready: items.prefix(interests.count).map { result > 0 && $0.revents & $0.events != 0 }, wokenUp: woken)
  }
}
