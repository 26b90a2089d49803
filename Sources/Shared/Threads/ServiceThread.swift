// A blocking loop runs on a separate thread, not in the cooperative pool. Its error is not lost: `join` throws it.

internal import Foundation

/// A named thread that runs one body and keeps its error.
package final class ServiceThread: @unchecked Sendable {  // its state is guarded by the condition
  private let condition = NSCondition()
  private var outcome: Result<Void, any Error>?
  private var waiters: [CheckedContinuation<Void, any Error>] = []
  /// The thread's name; `top -H` shows its first 15 bytes.
  package let name: String

  /// Starts the thread. Create sockets inside the body.
  package init(name: String, _ body: @escaping @Sendable () throws -> Void) {
    self.name = name
    let thread = Thread { [self] in finish(Result(catching: body)) }
    thread.name = name
    thread.stackSize = 16 << 20
    thread.start()
  }

  package var hasEnded: Bool {
    condition.lock()
    defer { condition.unlock() }
    return outcome != nil
  }

  /// Blocks until the body has ended. Call it from a thread that may block. Throws what the body threw.
  package func join() throws {
    condition.lock()
    while outcome == nil { condition.wait() }
    let ended = outcome
    condition.unlock()
    try ended?.get()
  }

  /// Suspends until the body has ended; blocks no thread. Throws what the body threw.
  package func ended() async throws {
    try await withCheckedThrowingContinuation { waiter in
      condition.lock()
      let already = outcome
      if already == nil { waiters.append(waiter) }
      condition.unlock()
      if let already { waiter.resume(with: already) }
    }
  }

  private func finish(_ result: Result<Void, any Error>) {
    condition.lock()
    outcome = result
    let waiting = waiters
    waiters = []
    condition.broadcast()
    condition.unlock()
    for waiter in waiting { waiter.resume(with: result) }
  }
}
