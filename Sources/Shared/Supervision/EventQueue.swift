// Events of child processes, in the order in which they happened.

package import Foundation

/// A queue between threads: any thread puts events in, one takes them out.
package final class EventQueue<Event: Sendable>: @unchecked Sendable {  // its state is guarded by the condition
  private let condition = NSCondition()
  private var events: [Event] = []

  package init() {}

  package func put(_ event: Event) {
    condition.lock()
    events.append(event)
    condition.signal()
    condition.unlock()
  }

  /// The oldest event; nil when there is none before `deadline`.
  package func take(before deadline: Date) -> Event? {
    condition.lock()
    defer { condition.unlock() }
    while events.isEmpty {
      if !condition.wait(until: deadline) && events.isEmpty { return nil }
    }
    return events.removeFirst()
  }
}
