// Draws of starting states from the replay's table.

import Algorithms
import Engine
import Settings
import Testing

@Suite struct ReplaySamplingTests {
  private func table() -> ReplayTable {
    var table = ReplayTable()
    for epoch in 0..<3 {
      table.add(
        (0..<4).map {
          ReplayTable.Row(
            number: 4 * epoch + $0, member: 0, epoch: epoch, prompt: "cat", reward: Float((7 * (4 * epoch + $0)) % 12))
        }, oldest: 0)
    }
    return table
  }

  private func draw(_ sampling: ReplaySampling, _ count: Int, seed: UInt64 = 1) throws -> [ReplayDraw] {
    var random = RandomStream(seed: seed)
    var table = table()
    return try table.draw(count, sampling, steps: 1..<3, discount: 0.5, random: &random)
  }

  @Test func `every kind of sampling draws the trajectories and steps that it promises`() throws {
    for sampling in ReplaySampling.allCases {
      let found = try draw(sampling, 6)
      #expect(found.count == 6 && found.allSatisfy { (1..<3).contains($0.step) })
      #expect(try draw(sampling, 6) == found)
      #expect(try draw(sampling, 6, seed: 2) != found)
    }
    #expect(Set(try draw(.uniform, 12).map(\.number)).count == 12)
    #expect(Set(try draw(.onPolicy, 4).map(\.number)) == [8, 9, 10, 11])
    #expect(Set(try draw(.onPolicy, 6).map(\.number)).isSuperset(of: [8, 9, 10, 11]))
    // The rewards are 7n mod 12; the highest are those of 5 (11), 10 (10) and 3 (9).
    #expect(Set(try draw(.reward, 3).map(\.number)) == [5, 10, 3])
    let mixed = try draw(.onPolicyRandom, 7).map(\.number)
    #expect(Set(mixed).isSuperset(of: [8, 9, 10, 11]) && Set(mixed).count == 7)
    // If more are requested than exist, they are drawn again.
    #expect(try draw(.uniform, 30).count == 30)
  }

  @Test func `reward+gamma draws in proportion to reward and γ, and never without a reward`() throws {
    let found = try draw(.rewardGamma, 4000)
    #expect(!found.contains { $0.number == 0 })
    let late = found.filter { $0.step == 2 }.count
    let lateShare = Double(late) / 4000
    // Both intervals are about five standard deviations around 1 / (1 + 0.5) and 11 / 66.
    #expect((0.627..<0.707).contains(lateShare))
    let best = found.filter { $0.number == 5 }.count
    #expect((550..<783).contains(best))
    var table = ReplayTable(), random = RandomStream(seed: 1)
    table.add([ReplayTable.Row(number: 0, member: 0, epoch: 0, prompt: "", reward: -1)], oldest: 0)
    #expect { try table.draw(1, .rewardGamma, steps: 0..<2, discount: 0.9, random: &random) } throws: {
      "\($0)".contains("gradient.sampling")
    }
  }

  @Test func `trajectories older than the window are removed`() {
    var table = table()
    table.add([], oldest: 2)
    #expect(table.rows.map(\.number) == [8, 9, 10, 11])
  }
}
