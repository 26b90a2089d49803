// How threads hand values to each other: a queue that a blocking thread waits on, and that wakes a poller.

internal import Basics
package import Foundation

/// A queue between threads. Values are taken in the order in which they were put in.
package final class Mailbox<Element: Sendable>: @unchecked Sendable {  // its state is guarded by the condition
  private let condition = NSCondition()
  private var elements: [Element] = []
  private var isClosed = false
  private let waker: Waker?

  /// - Parameter waker: woken for every value that is put in, for a receiver that waits in a `Poller`.
  package init(waker: Waker? = nil) { self.waker = waker }

  /// Puts a value in; a closed mailbox drops it.
  package func put(_ element: Element) {
    condition.lock()
    if !isClosed { elements.append(element) }
    condition.signal()
    condition.unlock()
    waker?.wake()
  }

  package func takeAll() -> [Element] {
    condition.lock()
    defer { condition.unlock() }
    defer { elements = [] }
    return elements
  }

  /// Blocks until there is a value, and takes all values; nil when the mailbox is closed and empty.
  package func takeAllWaiting() -> [Element]? {
    condition.lock()
    defer { condition.unlock() }
    while elements.isEmpty && !isClosed { condition.wait() }
    if elements.isEmpty { return nil }
    defer { elements = [] }
    return elements
  }

  /// Blocks until there is a value, and takes it; nil when the mailbox is closed and empty, or after `timeout`.
  package func take(timeout: Duration) -> Element? { take(before: Date(timeIntervalSinceNow: timeout.seconds)) }

  /// Blocks until there is a value, and takes it; nil when the mailbox is closed and empty, or at `deadline`.
  package func take(before deadline: Date? = nil) -> Element? {
    condition.lock()
    defer { condition.unlock() }
    while elements.isEmpty && !isClosed {
      if let deadline {
        if !condition.wait(until: deadline) { break }
      } else {
        condition.wait()
      }
    }
    return elements.isEmpty ? nil : elements.removeFirst()
  }

  /// Closes the mailbox: its values can still be taken, and waiting ends.
  package func close() {
    condition.lock()
    isClosed = true
    condition.broadcast()
    condition.unlock()
    waker?.wake()
  }

  package var hasClosed: Bool {
    condition.lock()
    defer { condition.unlock() }
    return isClosed
  }

  /// Number of values not yet taken.
  package var count: Int {
    condition.lock()
    defer { condition.unlock() }
    return elements.count
  }
}
