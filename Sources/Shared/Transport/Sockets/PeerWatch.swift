// Detects absent and silent peers: warnings at intervals, and finally an error that says what to do.

internal import Threads
internal import Basics

/// A peer did not answer in time.
package struct AbsentPeer: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// Keeps track of the last message of each peer. A pure value: the caller passes the time.
package struct PeerWatch: Sendable {
  private let who: String
  private let peers: [String]
  private let what: String
  private let hint: String
  private let timeout: Duration
  private let silenceLimit: Duration
  private let patience: Duration
  private let start: ContinuousClock.Instant
  private var lastHeard: [ContinuousClock.Instant?]
  private var nextWarning: ContinuousClock.Instant

  /// - Parameters:
  ///   - who: The waiting process, such as "actor ada".
  ///   - peers: Endpoints, of which at least one must answer.
  ///   - what: The expected peer, such as "the learner".
  ///   - hint: What the user can do, as a sentence.
  ///   - timeout: Time limit for the first message of any peer.
  ///   - silenceLimit: Time since the last message after which a warning is returned.
  ///   - patience: Time since the last message after which an error is thrown.
  package init(
    who: String, peers: [String], what: String, hint: String, timeout: Duration, silenceLimit: Duration = .seconds(15),
    patience: Duration = .seconds(86400), start: ContinuousClock.Instant = .now
  ) {
    (self.who, self.peers, self.what, self.hint) = (who, peers, what, hint)
    (self.timeout, self.silenceLimit, self.patience, self.start) = (timeout, silenceLimit, patience, start)
    lastHeard = peers.map { _ in nil }
    nextWarning = start + .seconds(3)
  }

  /// A message of the peer with this index has arrived.
  package mutating func heard(_ peer: Int, now: ContinuousClock.Instant) { lastHeard[peer] = now }

  /// The time of the last message of a peer; nil if there was none.
  package func lastHeard(_ peer: Int) -> ContinuousClock.Instant? { lastHeard[peer] }

  /// - Returns: A warning for the log, every few seconds while no peer answers.
  /// - Throws: `AbsentPeer` if no peer has ever answered within the time-out, or for longer than the patience.
  package mutating func check(now: ContinuousClock.Instant) throws -> String? {
    let endpoints = peers.joined(separator: " or ")
    guard let last = lastHeard.compactMap({ $0 }).max() else {
      if now - start >= timeout {
        throw AbsentPeer(
          description: "\(who): \(what) did not answer at \(endpoints) within \(Int(timeout.seconds)) s. \(hint)")
      }
      guard now >= nextWarning else { return nil }
      nextWarning = now + .seconds(5)
      return "\(who): has waited \(Int((now - start).seconds)) s of at most \(Int(timeout.seconds)) s for \(what) at "
        + endpoints
    }
    if now - last >= patience {
      throw AbsentPeer(
        description: "\(who): \(what) at \(endpoints) has been silent for \(Int((now - last).seconds)) s. \(hint)")
    }
    guard now - last >= silenceLimit, now >= nextWarning else { return nil }
    nextWarning = now + .seconds(15)
    return "\(who): \(what) at \(endpoints) has been silent for \(Int((now - last).seconds)) s"
  }
}
