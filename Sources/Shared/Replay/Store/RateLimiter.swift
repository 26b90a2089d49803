// How fast groups may come in relation to how often they are used: arithmetic alone, without a clock or a disk (after
// Reverb's table, arXiv 2102.04736). Whatever the settings, one of the two sides can always go on.

/// Limits of a replay's use.
package struct RateLimits: Sendable, Equatable, Codable {
  /// How often an inserted group is to be sampled, on average.
  package var samplesPerInsert: Double
  /// How far inserts x samplesPerInsert may run ahead of samples, and lag behind them, from where sampling begins.
  package var errorBuffer: Double
  /// Groups that must be stored before any is sampled.
  package var minimumSize: Int

  /// Limits, checked.
  ///
  /// - Parameters:
  ///   - batch: groups that are sampled together; 1 or more.
  ///   - capacity: groups that can be stored before one is sampled; nil: any number.
  /// - Throws: `RateLimitError` for limits under which inserting and sampling could wait for each other.
  package init(
    samplesPerInsert: Double, errorBuffer: Double, minimumSize: Int, batch: Int = 1, capacity: Int? = nil
  ) throws {
    self.samplesPerInsert = samplesPerInsert
    self.errorBuffer = errorBuffer
    self.minimumSize = minimumSize
    guard samplesPerInsert > 0, samplesPerInsert.isFinite else {
      throw RateLimitError("replay.samplesPerInsert: expected a number above 0, found \(samplesPerInsert)")
    }
    guard minimumSize >= 1 else {
      throw RateLimitError("replay.minimumSize: expected at least 1 group, found \(minimumSize)")
    }
    // Inserting stops at most samplesPerInsert below the upper bound; from there a whole batch must fit above the
    // lower.
    let least = max(
      2 * max(1, samplesPerInsert), samplesPerInsert + Double(batch),
      // The first batch must fit in before anything was sampled.
      2 * samplesPerInsert * Double(batch - minimumSize)) / 2
    guard errorBuffer >= least, errorBuffer.isFinite else {
      throw RateLimitError(
        "replay.errorBuffer: expected at least \(least), or inserting and sampling \(batch) at once could wait for each "
          + "other, found \(errorBuffer)")
    }
    if let capacity, minimumSize > capacity {
      throw RateLimitError(
        "replay.minimumSize: expected at most \(capacity), because no more groups can be stored before the first are "
          + "sampled, found \(minimumSize)")
    }
  }

  /// inserts x samplesPerInsert - samples where the first group is sampled.
  fileprivate var center: Double { samplesPerInsert * Double(minimumSize) }
  /// Largest difference that an insert may lead to.
  package var largestDifference: Double { center + errorBuffer }
  /// Smallest difference that a sample may lead to.
  package var smallestDifference: Double { center - errorBuffer }
}

/// Limits that contradict themselves.
package struct RateLimitError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The setting, what was expected and what was found.
  package let description: String
  init(_ description: String) { self.description = description }
}

/// Counts inserts, deletions and samples, and says which may come next.
package struct RateLimiter: Sendable, Equatable {
  /// Which bound keeps somebody waiting.
  package enum Block: String, Sendable, Equatable {
    /// Fewer groups are stored than `minimumSize`.
    case minimumSize
    /// Groups were sampled too often for their number: more must be inserted.
    case tooFewInserts
    /// Groups were sampled too seldom: they must be sampled before more come.
    case tooFewSamples
  }

  /// The limits in force; nil: none, and it only counts.
  package let limits: RateLimits?
  /// Groups inserted since the beginning of the run.
  package private(set) var inserts: Int
  /// Groups that are no longer kept.
  package private(set) var deletions: Int
  /// Groups sampled, one as often as it was drawn.
  package private(set) var samples: Int

  /// - Parameters:
  ///   - inserts: those of an earlier life of the run; so `deletions` and `samples`.
  package init(_ limits: RateLimits?, inserts: Int = 0, deletions: Int = 0, samples: Int = 0) {
    self.limits = limits
    self.inserts = inserts
    self.deletions = deletions
    self.samples = samples
  }

  /// Groups that are stored.
  package var size: Int { inserts - deletions }
  /// inserts x samplesPerInsert - samples; without limits one sample an insert is taken for the aim.
  package var difference: Double { Double(inserts) * (limits?.samplesPerInsert ?? 1) - Double(samples) }

  /// Why `count` groups more may not be inserted; nil when they may.
  ///
  /// - Parameter pending: groups that are being made already.
  package func insertBlock(_ count: Int = 1, pending: Int = 0) -> Block? {
    guard let limits else { return nil }
    let then = pending + count
    if size + then <= limits.minimumSize { return nil }
    return difference + Double(then) * limits.samplesPerInsert <= limits.largestDifference ? nil : .tooFewSamples
  }

  /// Groups that may be inserted now.
  ///
  /// - Parameters:
  ///   - pending: groups that are being made already.
  ///   - limit: the answer is at most this.
  package func insertable(pending: Int = 0, limit: Int) -> Int {
    guard let limits else { return limit }
    let byDifference = ((limits.largestDifference - difference) / limits.samplesPerInsert).rounded(.down)
    let room = max(Double(limits.minimumSize - size), byDifference) - Double(pending)
    return room <= 0 ? 0 : room >= Double(limit) ? limit : Int(room)
  }

  /// Why `count` groups may not be sampled together; nil when they may.
  package func sampleBlock(_ count: Int = 1) -> Block? {
    guard let limits else { return nil }
    if size < limits.minimumSize { return .minimumSize }
    return difference - Double(count) >= limits.smallestDifference ? nil : .tooFewInserts
  }

  /// Its counts, for people.
  package var summary: String {
    "\(inserts) inserted, \(deletions) dropped, \(samples) sampled, difference \(difference)"
      + (limits.map { " of \($0.smallestDifference) to \($0.largestDifference)" } ?? "")
  }

  /// Groups were inserted.
  package mutating func insert(_ count: Int = 1) { inserts += count }
  /// Groups were sampled.
  package mutating func sample(_ count: Int = 1) { samples += count }
  /// Groups are no longer kept.
  package mutating func delete(_ count: Int = 1) { deletions += count }
}
