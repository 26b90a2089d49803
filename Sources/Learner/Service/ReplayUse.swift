// What the replay holds and how it is used, as metrics and the log tell it: who waits, because of which bound, since
// when.

internal import Replay
internal import Synchronization

/// A replay's state at a moment.
struct ReplayUse: Sendable {
  /// What keeps a side waiting.
  enum Block: Sendable, Equatable {
    case limiter(RateLimiter.Block)
    case fullDisk

    var text: String {
      switch self {
      case .limiter(.minimumSize): "fewer groups are stored than replay.minimumSize"
      case .limiter(.tooFewInserts): "groups were trained on as often as replay.samplesPerInsert allows"
      case .limiter(.tooFewSamples): "groups were not yet trained on as often as replay.samplesPerInsert asks"
      case .fullDisk: "the disk is full"
      }
    }
  }

  /// One side's waiting.
  private struct Waiting {
    var block: Block?
    var since = Duration.zero
    /// Of waits that are over.
    var total = Duration.zero

    mutating func become(_ new: Block?, now: Duration) -> Bool {
      if new == block { return false }
      if block != nil { total += now - since }
      (block, since) = (new, now)
      return true
    }

    func seconds(now: Duration) -> Double {
      let whole = block == nil ? total : total + (now - since)
      return Double(whole.components.seconds) + Double(whole.components.attoseconds) * 1e-18
    }
  }

  var groups = 0, bytes = 0, cachedBytes = 0, segments = 0, actors = 0
  var limiter = RateLimiter(nil)
  private var inserting = Waiting(), sampling = Waiting()
  private var now = Duration.zero

  /// Notes what keeps either side waiting; nil: nothing.
  ///
  /// - Returns: what has changed, for the log.
  mutating func block(insert: Block?, sample: Block?, now: Duration) -> [String] {
    self.now = now
    var changes: [String] = []
    if inserting.become(insert, now: now) {
      changes.append(insert.map { "inserting waits: \($0.text)" } ?? "inserting goes on")
    }
    if sampling.become(sample, now: now) {
      changes.append(sample.map { "training waits: \($0.text)" } ?? "training goes on")
    }
    return changes
  }

  /// By name.
  var metrics: [String: Double] {
    [
      "replay/groups": Double(groups), "replay/bytes": Double(bytes), "replay/segments": Double(segments),
      "replay/cached_bytes": Double(cachedBytes),
      "replay/inserts": Double(limiter.inserts), "replay/samples": Double(limiter.samples),
      "replay/dropped": Double(limiter.deletions), "replay/difference": limiter.difference,
      "replay/insert_wait": inserting.seconds(now: now), "replay/sample_wait": sampling.seconds(now: now),
      "learner/actors": Double(actors),
    ]
  }
}

/// Written by the network thread, read by the training thread.
final class SharedReplayUse: Sendable {
  private let value = Mutex(ReplayUse())

  func withLock(_ body: (inout sending ReplayUse) -> Void) { value.withLock { body(&$0) } }
  var metrics: [String: Double] { value.withLock { $0.metrics } }
  var samples: Int { value.withLock { $0.limiter.samples } }
}
