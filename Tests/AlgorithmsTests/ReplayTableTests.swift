// The table of stored trajectories.

import Algorithms
import Engine
import Foundation
import Settings
import Testing

@Suite struct ReplayTableTests {
  /// Four epochs of ten groups of two; the rewards of a group are its number / 10 - 1 and a tenth more.
  private func table() -> ReplayTable {
    var table = ReplayTable()
    for epoch in 0..<4 {
      table.add(
        (epoch * 10..<epoch * 10 + 10).reversed().flatMap { number in
          (0..<2).map {
            .init(number: number, member: $0, epoch: epoch, prompt: "", reward: Float(number + $0) / 10 - 1)
          }
        }, oldest: 0)
    }
    return table
  }

  private func draw(_ table: inout ReplayTable, _ count: Int, _ sampling: ReplaySampling, seed: UInt64 = 5) throws
    -> [ReplayDraw]
  {
    var random = RandomStream(seed: seed)
    return try table.draw(count, sampling, steps: 1..<4, discount: 0.9, random: &random)
  }

  @Test func `draws without replacement give different trajectories and leave the table unchanged`() throws {
    var table = table()
    let before = table
    let epochs = Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, $0 / 10) })
    for sampling in [ReplaySampling.uniform, .onPolicy, .reward, .onPolicyRandom] {
      let drawn = try draw(&table, 80, sampling)
      #expect(Set(drawn.map { [$0.number, $0.member] }).count == 80, "\(sampling)")
      #expect(drawn.allSatisfy { (1..<4).contains($0.step) })
      #expect(table == before)
      #expect(try draw(&table, 80, sampling) == drawn)
      #expect(try draw(&table, 80, sampling, seed: 6) != drawn)
      // If more are requested than exist, they are drawn again.
      #expect(try draw(&table, 200, sampling).count == 200)
    }
    let newest = try draw(&table, 30, .onPolicy).map { epochs[$0.number]! }
    #expect(newest == [Int](repeating: 3, count: 20) + [Int](repeating: 2, count: 10))
    let best = try draw(&table, 15, .reward).map { $0.number + $0.member }
    #expect(best == best.sorted(by: >))
    #expect(best.last == 33)
    let mixed = try draw(&table, 40, .onPolicyRandom).map { epochs[$0.number]! }
    #expect(mixed.prefix(20).allSatisfy { $0 == 3 })
    #expect(mixed.dropFirst(20).allSatisfy { $0 < 3 } && Set(mixed.dropFirst(20)).count == 3)
  }

  @Test func `reward+gamma draws trajectory and step with its probabilities`() throws {
    var table = ReplayTable()
    let rewards: [Float] = [1, -2, 0, 3]
    table.add(
      rewards.enumerated().map { .init(number: $0.offset, member: 0, epoch: 0, prompt: "", reward: $0.element) },
      oldest: 0)
    let expected = ReplayTable.priorities(rewards: rewards, steps: 3, discount: 0.5)
    var counts = [[Int]](repeating: [0, 0, 0], count: 4)
    var random = RandomStream(seed: 7)
    let rounds = 40_000
    for drawn in try table.draw(rounds, .rewardGamma, steps: 0..<3, discount: 0.5, random: &random) {
      counts[drawn.number][drawn.step] += 1
    }
    for (row, column) in (0..<4).flatMap({ row in (0..<3).map { (row, $0) } }) {
      let share = expected[row][column]
      // Five standard deviations of a binomial share.
      let tolerance = 5 * (share * (1 - share) / Double(rounds)).squareRoot()
      #expect(abs(Double(counts[row][column]) / Double(rounds) - share) <= tolerance)
    }
    table.add([.init(number: 9, member: 0, epoch: 1, prompt: "", reward: -1)], oldest: 1)
    #expect { _ = try table.draw(1, .rewardGamma, steps: 0..<3, discount: 0.5, random: &random) } throws: {
      "\($0)".contains("none of the 1 stored trajectories has one (the best is -1.0)")
    }
  }

  @Test func `old epochs are removed, and a restored table draws like the original`() throws {
    var table = table()
    table.add([.init(number: 40, member: 0, epoch: 4, prompt: "", reward: 1)], oldest: 3)
    #expect(table.count == 21)
    #expect(table.rows.map(\.epoch).min() == 3)
    #expect(table.rows.map(\.number) == table.rows.map(\.number).sorted())
    var restored = try JSONDecoder().decode(ReplayTable.self, from: JSONEncoder().encode(table))
    #expect(restored == table)
    for sampling in ReplaySampling.allCases {
      #expect(try draw(&restored, 30, sampling) == draw(&table, 30, sampling))
    }
  }
}
