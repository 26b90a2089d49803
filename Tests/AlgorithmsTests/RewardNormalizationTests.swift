// Rewards are normalized by their own latest scores.

import Algorithms
import Engine
import Foundation
import Testing

@Suite struct RewardNormalizationTests {
  @Test func `each reward has the mean and population standard deviation of its latest scores`() throws {
    var rewards = try RewardNormalization(window: 4)
    rewards.append([100, 1, 2], of: "a")
    rewards.append([3, 4], of: "a")
    rewards.append([-1, 1], of: "b")
    // The window holds 1, 2, 3, 4.
    let moments = try #require(rewards.moments(of: "a"))
    #expect(abs(moments.mean - 2.5) < 1e-12 && abs(moments.std - 1.25.squareRoot()) < 1e-12)
    let found = rewards.normalized([2.5, 4, 100], of: "a")
    for (value, wanted) in zip(found, [0, 1.3416, 87.2067] as [Float]) { #expect(abs(value - wanted) < 1e-3) }
    #expect(rewards.normalized([1], of: "b")[0] > 0.999)
    #expect(rewards.moments(of: "c") == nil)
  }

  @Test func `a constant reward becomes 0`() throws {
    var rewards = try RewardNormalization(window: 8)
    rewards.append([5, 5, 5], of: "a")
    #expect(rewards.normalized([5, 5], of: "a") == [0, 0])
  }

  @Test func `the window survives a checkpoint to the bit`() throws {
    var rewards = try RewardNormalization(window: 3)
    rewards.append([0.1, 1 / 3, -1e-20, 1e30], of: "a")
    let read = try JSONDecoder().decode(RewardNormalization.self, from: JSONEncoder().encode(rewards))
    #expect(read == rewards)
    #expect(read.normalized([0.7], of: "a") == rewards.normalized([0.7], of: "a"))
  }

  @Test(arguments: [-1, 0, 1])
  func `a window that cannot hold two scores is refused`(window: Int) {
    let error = #expect(throws: AlgorithmError.self) { try RewardNormalization(window: window) }
    #expect(error?.description.contains("at least 2 scores, found \(window)") == true)
  }
}
