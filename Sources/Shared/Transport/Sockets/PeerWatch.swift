// Somebody who is not there, or is gone, is said so: early, regularly, and finally with an error that says what to do.

package import Threads

/// A peer was expected and did not answer in time.
package struct AbsentPeer: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// Watches when peers were last heard. A pure value: time comes from outside.
package struct PeerWatch: Sendable {
  private let who: String
  private let peers: [String]
  private let what: String
  private let hint: String
  private let timeout: Duration
  private let silence: Duration
  private let patience: Duration
  private let start: ContinuousClock.Instant
  private var lastHeard: [ContinuousClock.Instant?]
  private var nextWarning: ContinuousClock.Instant

  /// - Parameters:
  ///   - who: the one who waits, as "actor ada".
  ///   - peers: endpoints, of which at least one must answer.
  ///   - what: expected there, as "the learner".
  ///   - hint: what to do, a sentence.
  ///   - timeout: for the first sign of life of any of them.
  ///   - silence: after which a warning is due, later on.
  ///   - patience: for a silence later on.
  ///   - start: now.
  package init(
    who: String, peers: [String], what: String, hint: String, timeout: Duration, silence: Duration = .seconds(15),
    patience: Duration = .seconds(86400), start: ContinuousClock.Instant = .now
  ) {
    self.who = who
    self.peers = peers
    self.what = what
    self.hint = hint
    self.timeout = timeout
    self.silence = silence
    self.patience = patience
    self.start = start
    lastHeard = peers.map { _ in nil }
    nextWarning = start + .seconds(3)
  }

  /// The peer of this place in the list answered.
  package mutating func heard(_ peer: Int, now: ContinuousClock.Instant) { lastHeard[peer] = now }

  /// When a peer was last heard; nil: never.
  package func lastHeard(_ peer: Int) -> ContinuousClock.Instant? { lastHeard[peer] }

  /// Looks at the clock.
  ///
  /// - Returns: a warning to log, every few seconds while nobody answers.
  /// - Throws: `AbsentPeer` when nobody has ever answered within the time-out, or for longer than the patience.
  package mutating func check(now: ContinuousClock.Instant) throws -> String? {
    let endpoints = peers.joined(separator: " or ")
    guard let last = lastHeard.compactMap({ $0 }).max() else {
      if now - start >= timeout {
        throw AbsentPeer(
          description: "\(who): expected \(what) at \(endpoints), found nobody for \(Int(timeout.seconds)) s. \(hint)")
      }
      guard now >= nextWarning else { return nil }
      nextWarning = now + .seconds(5)
      return "\(who): waiting for \(what) at \(endpoints), for \(Int((now - start).seconds)) s of "
        + "\(Int(timeout.seconds)) s"
    }
    if now - last >= patience {
      throw AbsentPeer(
        description: "\(who): \(what) at \(endpoints) has been silent for \(Int((now - last).seconds)) s. \(hint)")
    }
    guard now - last >= silence, now >= nextWarning else { return nil }
    nextWarning = now + .seconds(15)
    return "\(who): \(what) at \(endpoints) has been silent for \(Int((now - last).seconds)) s"
  }
}
