// A service: a thread that announces an address, such as the endpoints that it has bound, and ends on request.

/// A service ended without an error and without an announcement.
package struct ServiceError: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// A running service. Releasing it does not stop it.
package final class Service<Address: Sendable>: Sendable {
  private let thread: ServiceThread
  private let waker: Waker
  private let stopping: StopFlag
  package let address: Address

  /// Starts the thread and waits until it has announced its address.
  ///
  /// - Parameters:
  ///   - name: Name of the thread.
  ///   - body: Creates its sockets, calls `announce` once, and loops until `stop.isSet`. `waker` wakes its poller then.
  /// - Throws: The error of `body`, if it ends before it has announced its address.
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
      throw ServiceError(description: "\(name): the thread ended before it was ready")
    }
    (self.thread, self.waker, self.stopping, self.address) = (thread, waker, stopping, address)
  }

  package func stop() {
    stopping.set()
    waker.wake()
  }

  package var hasEnded: Bool { thread.hasEnded }

  /// Blocks until the service has ended. Throws the error that ended it.
  package func join() throws { try thread.join() }

  /// Suspends until the service has ended. Throws the error that ended it.
  package func ended() async throws { try await thread.ended() }
}
