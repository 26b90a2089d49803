import Engine
import Foundation
import Replay
import Testing

/// The rule without the limiter's shortcuts.
private struct Reference {
  let spi: Double, buffer: Double, minimum: Int
  var inserts = 0, samples = 0, deletions = 0

  var mayInsert: Bool {
    let below = inserts - deletions < minimum
    return below || Double(inserts + 1) * spi - Double(samples) <= spi * Double(minimum) + buffer
  }
  func maySample(_ count: Int) -> Bool {
    inserts - deletions >= minimum
      && Double(inserts) * spi - Double(samples) - Double(count) >= spi * Double(minimum) - buffer
  }
}

@Suite struct RateLimiterTests {
  @Test func `100,000 random steps follow the rule, and never do both sides wait`() throws {
    var random = RandomStream(seed: 9).fork("limiter")
    var round = 0
    while round < 50 * fuzzScale {
      // With quarters all sums are exact, so that both sides compare the same numbers.
      let spi = Double(1 + random.integer(below: 20)) / 4
      let batch = 1 + random.integer(below: 4)
      let minimum = 1 + random.integer(below: 10)
      // Buffers that are too small are refused. The last test checks the smallest accepted buffers.
      let buffer = Double(random.integer(below: 60)) / 4
      guard
        let limits = try? RateLimits(samplesPerInsert: spi, errorBuffer: buffer, minimumSize: minimum, batch: batch)
      else { continue }
      round += 1
      var limiter = RateLimiter(limits)
      var reference = Reference(spi: spi, buffer: buffer, minimum: minimum)
      for _ in 0..<2_000 {
        try #require((limiter.insertBlock() == nil) == reference.mayInsert, "round \(round): \(limiter)")
        try #require((limiter.insertable(limit: 1_000) > 0) == reference.mayInsert, "round \(round): \(limiter)")
        try #require((limiter.sampleBlock(batch) == nil) == reference.maySample(batch), "round \(round): \(limiter)")
        let bothWait = limiter.insertBlock() != nil && limiter.sampleBlock(batch) != nil
        try #require(!bothWait, "round \(round): \(limiter)")
        switch random.integer(below: 5) {
        case 0, 1:
          let count = min(limiter.insertable(limit: 1_000), 1 + random.integer(below: 3))
          // All groups that were granted can be inserted, one after another.
          for _ in 0..<count {
            try #require(limiter.insertBlock() == nil)
            limiter.insert()
            reference.inserts += 1
          }
        case 2, 3:
          if limiter.sampleBlock(batch) == nil {
            limiter.sample(batch)
            reference.samples += batch
            #expect(limiter.difference >= limits.smallestDifference)
          }
        default:
          if limiter.size > 0, random.integer(below: 4) == 0 {
            limiter.delete()
            reference.deletions += 1
          }
        }
      }
      #expect(limiter.inserts == reference.inserts && limiter.samples == reference.samples)
      #expect(limiter.inserts > 100 && limiter.samples > 100, "round \(round) stood still: \(limiter)")
    }
  }

  @Test func `groups that are being sampled by actors count as inserted`() throws {
    let limits = try RateLimits(samplesPerInsert: 1, errorBuffer: 4, minimumSize: 2)
    var limiter = RateLimiter(limits)
    #expect(limiter.insertable(limit: 100) == 6)
    #expect(limiter.insertable(pending: 5, limit: 100) == 1)
    #expect(limiter.insertable(pending: 6, limit: 100) == 0)
    #expect(limiter.insertable(pending: 7, limit: 100) == 0)
    #expect(limiter.insertBlock(1, pending: 6) == .tooFewSamples)
    #expect(limiter.sampleBlock() == .minimumSize)
    limiter.insert(6)
    #expect(limiter.sampleBlock(8) == nil)
    #expect(limiter.sampleBlock(9) == .tooFewInserts)
  }

  @Test func `without limits the limiter only counts`() {
    var limiter = RateLimiter(nil, inserts: 5, deletions: 2, samples: 3)
    limiter.insert(1_000)
    limiter.sample(100_000)
    limiter.delete()
    #expect(limiter.size == 1_002)
    #expect(limiter.difference == -98_998)
    #expect(limiter.insertBlock(10_000) == nil && limiter.sampleBlock(10_000) == nil)
    #expect(limiter.insertable(pending: 7, limit: 9) == 9)
  }

  @Test func `limits that could stand still are refused with the name of the setting`() {
    func refusal(_ spi: Double, _ buffer: Double, _ minimum: Int, batch: Int = 1, capacity: Int? = nil) -> String {
      do {
        _ = try RateLimits(
          samplesPerInsert: spi, errorBuffer: buffer, minimumSize: minimum, batch: batch, capacity: capacity)
        return ""
      } catch { return "\(error)" }
    }
    #expect(refusal(0, 4, 1).hasPrefix("replay.samplesPerInsert"))
    #expect(refusal(.nan, 4, 1).hasPrefix("replay.samplesPerInsert"))
    #expect(refusal(4, 3.9, 1).hasPrefix("replay.errorBuffer"))
    #expect(refusal(4, 4, 1).isEmpty)
    #expect(refusal(1, 8, 1, batch: 16).hasPrefix("replay.errorBuffer"))
    #expect(refusal(1, 14.9, 1, batch: 16).hasPrefix("replay.errorBuffer"))
    #expect(refusal(1, 15, 1, batch: 16).isEmpty)
    #expect(refusal(1, 8.5, 16, batch: 16).isEmpty)
    #expect(refusal(1, .infinity, 1).hasPrefix("replay.errorBuffer"))
    #expect(refusal(1, 4, 0).hasPrefix("replay.minimumSize"))
    #expect(refusal(1, 4, 33, capacity: 32).contains("at most 32"))
  }
}
