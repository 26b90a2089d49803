// A service is a thread that owns sockets, tells the endpoints it was bound to, and ends when it is asked to.

package import Threads

/// A running service. Dropping it does not stop it.
package final class Service<Address: Sendable>: Sendable {
  private let thread: ServiceThread
  private let waker: Waker
  private let stopping: StopFlag
  /// Where the service can be reached.
  package let address: Address

  /// Starts the thread and waits until it has bound its sockets.
  ///
  /// - Parameters:
  ///   - name: of the thread.
  ///   - body: makes its sockets, calls `announce` once with where it can be reached, and loops until
  ///     `stop.isSet`, which `bell` announces to its poller.
  /// - Throws: what `body` threw before it announced anything.
  package init(
    name: String,
    _ body: @escaping @Sendable (_ waker: Waker, _ stop: StopFlag, _ announce: (Address) -> Void) throws -> Void
  ) throws {
    let waker = try Waker()
    let stopping = StopFlag()
    let announced = Mailbox<Address>()
    let thread = ServiceThread(name: name) {
      defer { announced.close() }
      try body(waker, stopping) { announced.put($0) }
    }
    guard let address = announced.take() else {
      try thread.join()
      throw TransportError(.system, "\(name): ended before it was ready.")
    }
    self.thread = thread
    self.waker = waker
    self.stopping = stopping
    self.address = address
  }

  /// Asks the service to end; it flushes first. Safe in any thread.
  package func stop() {
    stopping.set()
    waker.wake()
  }

  /// Whether it has ended, by request or by an error.
  package var hasEnded: Bool { thread.hasEnded }

  /// Blocks until the service has ended.
  ///
  /// - Throws: the error that ended it.
  package func join() throws { try thread.join() }

  /// Suspends until the service has ended.
  ///
  /// - Throws: the error that ended it.
  package func ended() async throws { try await thread.ended() }
}
