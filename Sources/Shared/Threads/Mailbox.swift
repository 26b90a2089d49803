// How threads hand values to each other: a queue that a blocking thread waits on, and that rings a poller's bell.

internal import Foundation

/// A queue between threads. Values come out in the order in which they went in.
package final class Mailbox<Element: Sendable>: @unchecked Sendable {  // its state is guarded by the condition
  private let condition = NSCondition()
  private var elements: [Element] = []
  private var isClosed = false
  private let waker: Waker?

  /// - Parameter bell: is rung whenever something was put in, for a receiver that waits in a `Poller`.
  package init(waker: Waker? = nil) { self.waker = waker }

  /// Puts a value in; a closed mailbox drops it.
  package func put(_ element: Element) {
    condition.lock()
    if !isClosed { elements.append(element) }
    condition.signal()
    condition.unlock()
    waker?.wake()
  }

  /// Takes all that is there, without waiting.
  package func takeAll() -> [Element] {
    condition.lock()
    defer { condition.unlock() }
    defer { elements = [] }
    return elements
  }

  /// Blocks until there is a value, and takes all there are; nil once the mailbox is closed and empty.
  package func takeAllWaiting() -> [Element]? {
    condition.lock()
    defer { condition.unlock() }
    while elements.isEmpty && !isClosed { condition.wait() }
    if elements.isEmpty { return nil }
    defer { elements = [] }
    return elements
  }

  /// Blocks until there is a value, and takes it; nil once the mailbox is closed and empty, or after `timeout`.
  ///
  /// - Parameter timeout: nil waits for ever.
  package func take(timeout: Duration? = nil) -> Element? {
    let end = timeout.map { Date(timeIntervalSinceNow: $0.seconds) }
    condition.lock()
    defer { condition.unlock() }
    while elements.isEmpty && !isClosed {
      if let end {
        if !condition.wait(until: end) { break }
      } else {
        condition.wait()
      }
    }
    return elements.isEmpty ? nil : elements.removeFirst()
  }

  /// Ends the mailbox: what is in it can still be taken, waiting ends.
  package func close() {
    condition.lock()
    isClosed = true
    condition.broadcast()
    condition.unlock()
    waker?.wake()
  }

  /// Whether nothing more can be put in.
  package var hasClosed: Bool {
    condition.lock()
    defer { condition.unlock() }
    return isClosed
  }

  /// Values not yet taken.
  package var count: Int {
    condition.lock()
    defer { condition.unlock() }
    return elements.count
  }
}

extension Duration {
  /// As a number of seconds.
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
