import Engine
import Foundation
import Replay
import Testing

/// Ten times as many steps, and so on, where the environment asks for a longer run.
private let limiterScale = ProcessInfo.processInfo.environment["STEPWISE_FUZZ_SCALE"].flatMap { Int($0) } ?? 1

/// The rule as it is written down, without any of the limiter's short cuts.
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

@Suite("The rate limiter")
struct RateLimiterTests {
  @Test("decides over 100,000 random steps as the rule does, and never keeps both sides waiting")
  func reference() throws {
    var random = RandomStream(seed: 9).fork("limiter")
    for round in 0..<50 * limiterScale {
      // Quarters: sums are exact, and both sides compare the same numbers.
      let spi = Double(1 + random.integer(below: 20)) / 4
      let batch = 1 + random.integer(below: 4)
      let minimum = 1 + random.integer(below: 10)
      let least = max(2 * max(1, spi), spi + Double(batch), 2 * spi * Double(batch - minimum)) / 2
      let buffer = least + Double(random.integer(below: 3)) * Double(random.integer(below: 8)) / 4
      let limits = try RateLimits(samplesPerInsert: spi, errorBuffer: buffer, minimumSize: minimum, batch: batch)
      var limiter = RateLimiter(limits)
      var reference = Reference(spi: spi, buffer: buffer, minimum: minimum)
      for _ in 0..<2_000 {
        try #require((limiter.insertBlock() == nil) == reference.mayInsert, "round \(round): \(limiter)")
        try #require((limiter.insertable(limit: 1_000) > 0) == reference.mayInsert, "round \(round): \(limiter)")
        try #require((limiter.sampleBlock(batch) == nil) == reference.maySample(batch), "round \(round): \(limiter)")
        try #require(
          limiter.insertBlock() == nil || limiter.sampleBlock(batch) == nil, "both wait, round \(round): \(limiter)")
        switch random.integer(below: 5) {
        case 0, 1:
          let count = min(limiter.insertable(limit: 1_000), 1 + random.integer(below: 3))
          // As many as were granted, one after another.
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

  @Test("counts what is being made as if it were there")
  func pending() throws {
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

  @Test("without limits only counts")
  func unlimited() {
    var limiter = RateLimiter(nil, inserts: 5, deletions: 2, samples: 3)
    limiter.insert(1_000)
    limiter.sample(100_000)
    limiter.delete()
    #expect(limiter.size == 1_002)
    #expect(limiter.difference == -98_998)
    #expect(limiter.insertBlock(10_000) == nil && limiter.sampleBlock(10_000) == nil)
    #expect(limiter.insertable(pending: 7, limit: 9) == 9)
  }

  @Test("refuses limits that could stand still, by name")
  func refusals() {
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
