// A service is a thread that owns sockets, tells the endpoints it was bound to, and ends when it is asked to.

/// A running service. Dropping it does not stop it.
public final class Service<Address: Sendable>: Sendable {
  private let thread: ServiceThread
  private let bell: WakeUp
  private let stopping: StopFlag
  /// Where the service can be reached.
  public let address: Address

  /// Starts the thread and waits until it has bound its sockets.
  ///
  /// - Parameters:
  ///   - name: of the thread.
  ///   - body: makes its sockets, calls `announce` once with where it can be reached, and loops until
  ///     `stop.isSet`, which `bell` announces to its poller.
  /// - Throws: what `body` threw before it announced anything.
  public init(
    name: String,
    _ body: @escaping @Sendable (_ bell: WakeUp, _ stop: StopFlag, _ announce: (Address) -> Void) throws -> Void
  ) throws {
    let bell = try WakeUp()
    let stopping = StopFlag()
    let announced = Mailbox<Address>()
    let thread = ServiceThread(name: name) {
      defer { announced.close() }
      try body(bell, stopping) { announced.put($0) }
    }
    guard let address = announced.take() else {
      try thread.join()
      throw TransportError(.system, "\(name): ended before it was ready.")
    }
    self.thread = thread
    self.bell = bell
    self.stopping = stopping
    self.address = address
  }

  /// Asks the service to end; it flushes first. Safe in any thread.
  public func stop() {
    stopping.set()
    bell.ring()
  }

  /// Whether it has ended, by request or by an error.
  public var hasEnded: Bool { thread.hasEnded }

  /// Blocks until the service has ended.
  ///
  /// - Throws: the error that ended it.
  public func join() throws { try thread.join() }

  /// Suspends until the service has ended.
  ///
  /// - Throws: the error that ended it.
  public func ended() async throws { try await thread.ended() }
}
