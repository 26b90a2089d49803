// Edge cases of DDPO and B2-DiffuRL. GoldenTests compares their numbers with the published code.

import Algorithms
import Engine
import Settings
import Testing

@Suite struct DDPOTests {
  private func options() -> MethodSettings {
    var options = MethodSettings()
    options.training.statisticsBufferSize = 4
    options.training.statisticsMinimumCount = 4
    options.sampling.steps = 3
    return options
  }

  @Test func `every trajectory is a unit, and its last reward is its advantage at every step`() throws {
    var ddpo = try DDPO(options())
    let groups = [
      GroupRewards(prompt: "cat", dense: [[0, 0, 1], [0, 0, 3]]), GroupRewards(prompt: "dog", dense: [[9, 9, 5]]),
    ]
    let units = ddpo.units(groups, epoch: 0)
    #expect(units.map(\.group) == [0, 0, 1])
    #expect(units.map(\.members) == [[0], [1], [0]])
    #expect(units.allSatisfy { $0.advantages[0].count == 3 && Set($0.advantages[0]).count == 1 })
    // The batch's mean is 3 and its standard deviation √(8/3); no prompt has four rewards yet.
    let expected = [-2, 0, 2].map { Float($0) / (8.0 / 3.0 as Float).squareRoot() }
    #expect(zip(units, expected).allSatisfy { abs($0.advantages[0][0] - $1) < 1e-5 })
  }

  @Test func `an update covers whole trajectories`() throws {
    var random = RandomStream(seed: 2)
    let updates = try DDPO(options()).updates(units: 5, steps: 0..<3, minibatch: 2, accumulation: 2, random: &random)
    #expect(updates.map(\.count) == [6, 3])
    let all = updates.flatMap { $0 }.flatMap { $0 }
    #expect(all.count == 15 && Set(all).count == 15)
    for update in updates {
      let perUnit = Dictionary(grouping: update.flatMap { $0 }, by: \.unit)
      #expect(perUnit.values.allSatisfy { $0.map(\.step) == [0, 1, 2] })
    }
  }

  @Test func `the state survives a checkpoint`() throws {
    var original = try DDPO(options()), copy = try DDPO(options())
    let groups = [GroupRewards(prompt: "cat", dense: [[0, 0, 1], [0, 0, 4]])]
    _ = original.units(groups, epoch: 0)
    _ = original.units(groups, epoch: 1)
    try copy.restore(original.state())
    #expect(original.units(groups, epoch: 2) == copy.units(groups, epoch: 2))
  }
}

@Suite struct B2DiffuRLTests {
  private func options(base: BranchBase = .ddpo, finalStep: Bool = true) -> MethodSettings {
    var options = MethodSettings()
    options.sampling.groupSize = 3
    options.sampling.steps = 4
    options.training.finalStep = finalStep
    options.training.algorithm = .b2DiffuRL
    options.branches.base = base
    options.branches.shortestInterval = 2
    options.branches.longestInterval = 4
    options.branches.stages = 3
    return options
  }

  @Test func `branches split where the trained interval begins, which moves back from stage to stage`() throws {
    let method = try B2DiffuRL(options())
    #expect((0..<5).map { method.branchStep(ofEpoch: $0) } == [2, 1, 0, 0, 0])
    #expect((0..<4).map { method.trainedSteps(ofEpoch: $0) } == [2..<4, 1..<4, 0..<4, 0..<4])
    #expect(try B2DiffuRL(options(finalStep: false)).trainedSteps(ofEpoch: 0) == 2..<3)
  }

  private let groups = [
    GroupRewards(prompt: "cat", dense: [[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 9]]),
    GroupRewards(prompt: "cat", dense: [[0, 0, 0, 4], [0, 0, 0, 4], [0, 0, 0, 4]]),
  ]

  @Test func `the best and the worst branch beyond their thresholds are units for DDPO's loss`() throws {
    var method = try B2DiffuRL(options())
    let units = method.units(groups, epoch: 0)
    // The mean is 4, the sample standard deviation √(38 / 5); all others stay within half of it.
    #expect(units.map(\.members) == [[2], [0]])
    #expect(units.allSatisfy { $0.group == 0 && $0.advantages.count == 1 && Set($0.advantages[0]).count == 1 })
    let deviation = (38.0 / 5 as Float).squareRoot()
    #expect(abs(units[0].advantages[0][0] - 5 / deviation) < 1e-5)
    #expect(abs(units[1].advantages[0][0] + 3 / deviation) < 1e-5)
  }

  @Test func `the best and the worst branch are a pair for SDPO's loss, and need each other`() throws {
    var method = try B2DiffuRL(options(base: .sdpo))
    #expect(method.units(groups, epoch: 0).map(\.members) == [[2, 0]])
    #expect(method.units([groups[1]], epoch: 1).isEmpty)
  }

  @Test func `a single score of a prompt has no advantage, and old stages are forgotten`() throws {
    var history = StageHistory(length: 1)
    #expect(history.normalized([3], prompts: ["a"]) == [0])
    let second = history.normalized([5], prompts: ["a"])
    #expect(abs(second[0] - 1 / Float(2).squareRoot()) < 1e-6)
    #expect(history.normalized([7], prompts: ["b"]) == [0])
    // Only the stage of "b" and this one are left.
    #expect(history.normalized([9], prompts: ["a"]) == [0])
  }

  @Test func `the state survives a checkpoint, and another history length is refused`() throws {
    var original = try B2DiffuRL(options()), copy = try B2DiffuRL(options())
    _ = original.units(groups, epoch: 0)
    try copy.restore(original.state())
    #expect(original.units(groups, epoch: 1) == copy.units(groups, epoch: 1))
    var other = options()
    other.branches.history = 2
    var refused = try B2DiffuRL(other)
    #expect(throws: AlgorithmError.self) { try refused.restore(original.state()) }
  }

  @Test func `impossible settings are refused by name`() {
    func refused(_ key: String, _ change: (inout MethodSettings) -> Void) {
      var changed = options()
      change(&changed)
      #expect { try AlgorithmRegistry.make(changed) } throws: { "\($0)".contains(key) }
    }
    refused("sampling.groupSize") { $0.sampling.groupSize = 1 }
    refused("branches.longestInterval") { $0.sampling.steps = 3 }
    refused("branches") { $0.branches.shortestInterval = 0 }
  }
}
