// Size and use of the replay for metrics and the log: which side waits, for which bound, and how long.

internal import Basics
internal import Replay
internal import Synchronization

struct ReplayUse: Sendable {
  enum Block: Sendable, Equatable {
    case limiter(RateLimiter.Block)
    case fullDisk

    var text: String {
      switch self {
      case .limiter(let block): block.text
      case .fullDisk: "the disk is full"
      }
    }
  }

  private struct Waiting {
    var block: Block?
    var since = Duration.zero
    var total = Duration.zero

    mutating func become(_ new: Block?, now: Duration) -> Bool {
      if new == block { return false }
      if block != nil { total += now - since }
      (block, since) = (new, now)
      return true
    }

    func seconds(now: Duration) -> Double {
      (block == nil ? total : total + (now - since)).seconds
    }
  }

  var groups = 0, bytes = 0, cachedBytes = 0, segments = 0, actors = 0
  var limiter = RateLimiter(nil)
  private var inserting = Waiting(), sampling = Waiting()
  private var now = Duration.zero

  /// Records why either side waits; nil when it does not. Returns the changes, for the log.
  mutating func block(insert: Block?, sample: Block?, now: Duration) -> [String] {
    self.now = now
    var changes: [String] = []
    if inserting.become(insert, now: now) {
      changes.append(insert.map { "inserting waits: \($0.text)" } ?? "inserting continues")
    }
    if sampling.become(sample, now: now) {
      changes.append(sample.map { "training waits: \($0.text)" } ?? "training continues")
    }
    return changes
  }

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

/// The replay's use; the network thread writes it, the training thread reads it.
final class SharedReplayUse: Sendable {
  private let value = Mutex(ReplayUse())

  func withLock(_ body: (inout sending ReplayUse) -> Void) { value.withLock { body(&$0) } }
  var metrics: [String: Double] { value.withLock { $0.metrics } }
}

extension RateLimiter.Block {
  var text: String {
    switch self {
    case .minimumSize: "fewer groups are stored than replay.minimumSize"
    case .tooFewInserts: "the stored groups were trained on as often as replay.samplesPerInsert allows"
    case .tooFewSamples: "the stored groups were not yet trained on as often as replay.samplesPerInsert requires"
    }
  }
}
