// How fast groups may be inserted in relation to how often they are sampled (after Reverb's rate limiter, arXiv
// 2102.04736). Pure arithmetic, without a clock or a disk. With checked limits, inserting and sampling never wait for
// each other.

/// Limits on the ratio of samples to inserts.
package struct RateLimits: Sendable, Equatable, Codable {
  /// How often an inserted group is sampled, on average.
  package var samplesPerInsert: Double
  /// How far the difference inserts x samplesPerInsert - samples may move to either side of its value at the first
  /// sample.
  package var errorBuffer: Double
  /// Groups that must be stored before the first one is sampled.
  package var minimumSize: Int

  /// - Parameters:
  ///   - batch: groups that are sampled together, at least 1.
  ///   - capacity: groups that can be stored before the first one is sampled; nil means any number.
  /// - Throws: `RateLimitError` for limits under which inserting and sampling could wait for each other.
  package init(
    samplesPerInsert: Double, errorBuffer: Double, minimumSize: Int, batch: Int = 1, capacity: Int? = nil
  ) throws {
    (self.samplesPerInsert, self.errorBuffer, self.minimumSize) = (samplesPerInsert, errorBuffer, minimumSize)
    guard samplesPerInsert > 0, samplesPerInsert.isFinite else {
      throw RateLimitError("replay.samplesPerInsert: expected a number above 0, found \(samplesPerInsert)")
    }
    guard minimumSize >= 1 else {
      throw RateLimitError("replay.minimumSize: expected at least 1 group, found \(minimumSize)")
    }
    let least = Self.leastErrorBuffer(samplesPerInsert: samplesPerInsert, minimumSize: minimumSize, batch: batch)
    guard errorBuffer >= least, errorBuffer.isFinite else {
      throw RateLimitError(
        "replay.errorBuffer: expected at least \(least), found \(errorBuffer); with less, inserting and sampling "
          + "\(batch) groups at once could wait for each other")
    }
    if let capacity, minimumSize > capacity {
      throw RateLimitError(
        "replay.minimumSize: expected at most \(capacity), found \(minimumSize); no more groups can be stored before "
          + "the first ones are sampled")
    }
  }

  /// The smallest error buffer E with which inserting and sampling never both wait.
  ///
  /// Let D = inserts · s - samples with s = samplesPerInsert, let b be the batch, and c = s · minimumSize. An insert is
  /// allowed when D + s <= c + E, a sample of a batch when D - b >= c - E. Both wait if
  ///
  ///     c + E - s < D < c - E + b
  ///
  /// No such D exists if E >= (s + b) / 2. This must hold for single steps too: E >= s, so that an insert at D = c is
  /// allowed, and E >= 1, so that a sample at D = c is. Finally the first batch: no sample has been taken, so D = n · s
  /// after n inserts. The batch needs n >= b different groups, so D = b · s <= c + E, or E >= s (b - minimumSize).
  private static func leastErrorBuffer(samplesPerInsert: Double, minimumSize: Int, batch: Int) -> Double {
    max(
      (samplesPerInsert + Double(batch)) / 2, samplesPerInsert, 1,
      samplesPerInsert * Double(batch - minimumSize))
  }

  /// The difference inserts x samplesPerInsert - samples at the first sample.
  fileprivate var center: Double { samplesPerInsert * Double(minimumSize) }
  /// The largest difference after an insert.
  package var largestDifference: Double { center + errorBuffer }
  /// The smallest difference after a sample.
  package var smallestDifference: Double { center - errorBuffer }
}

/// Limits that contradict each other.
package struct RateLimitError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}

package struct RateLimiter: Sendable, Equatable {
  package enum Block: String, Sendable, Equatable {
    /// Fewer groups are stored than `minimumSize`.
    case minimumSize
    /// Sampling waits: the stored groups were sampled as often as samplesPerInsert allows.
    case tooFewInserts
    /// Inserting waits: the stored groups were not sampled often enough yet.
    case tooFewSamples
  }

  /// Nil means no limits; the limiter only counts.
  package let limits: RateLimits?
  /// Groups inserted since the start of the run.
  package private(set) var inserts: Int
  package private(set) var deletions: Int
  /// Groups sampled, each counted as often as it was sampled.
  package private(set) var samples: Int

  /// - Parameter inserts: inserts of earlier incarnations of the learner; likewise `deletions` and `samples`.
  package init(_ limits: RateLimits?, inserts: Int = 0, deletions: Int = 0, samples: Int = 0) {
    (self.limits, self.inserts, self.deletions, self.samples) = (limits, inserts, deletions, samples)
  }

  package var size: Int { inserts - deletions }
  /// inserts x samplesPerInsert - samples; without limits, samplesPerInsert counts as 1.
  package var difference: Double { Double(inserts) * (limits?.samplesPerInsert ?? 1) - Double(samples) }

  /// Why `count` more groups may not be inserted; nil when they may.
  ///
  /// - Parameter pending: groups that are being sampled by actors.
  package func insertBlock(_ count: Int = 1, pending: Int = 0) -> Block? {
    guard let limits else { return nil }
    let then = pending + count
    if size + then <= limits.minimumSize { return nil }
    return difference + Double(then) * limits.samplesPerInsert <= limits.largestDifference ? nil : .tooFewSamples
  }

  /// Groups that may be inserted now.
  ///
  /// - Parameters:
  ///   - pending: groups that are being sampled by actors.
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

  package var summary: String {
    "\(inserts) inserted, \(deletions) dropped, \(samples) sampled, difference \(difference)"
      + (limits.map { " of \($0.smallestDifference) to \($0.largestDifference)" } ?? "")
  }

  package mutating func insert(_ count: Int = 1) { inserts += count }
  package mutating func sample(_ count: Int = 1) { samples += count }
  package mutating func delete(_ count: Int = 1) { deletions += count }
}
