// A lock for work that takes seconds and lets others in between: who waits longest comes next.

internal import Foundation

#if canImport(Glibc)
  internal import Glibc
#endif

/// A lock whose waiters come in the order in which they asked. One thread may enter again: a segment is written from
/// groups of which some lie in other segments.
final class FairLock: @unchecked Sendable {  // its state is guarded by the condition
  private let condition = NSCondition()
  private var nextTicket = 0, served = 0
  private var owner: pthread_t?
  /// How often the thread that holds it has entered; meaningful to that thread alone.
  private(set) var depth = 0

  func lock() {
    condition.lock()
    defer { condition.unlock() }
    if owner != pthread_self() {
      let ticket = nextTicket
      nextTicket += 1
      while served != ticket { condition.wait() }
      owner = pthread_self()
    }
    depth += 1
  }

  func unlock() {
    condition.lock()
    defer { condition.unlock() }
    depth -= 1
    guard depth == 0 else { return }
    owner = nil
    served += 1
    condition.broadcast()
  }
}
