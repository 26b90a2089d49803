// The order of step-shuffled updates.

import Algorithms
import Engine
import Testing

@Suite struct StepOrderTests {
  @Test(arguments: [(7, 4, 2, 2), (3, 1, 8, 1)])
  func `every step of every unit is used once, and a slot uses every unit once`(
    _ sizes: (groups: Int, steps: Int, minibatch: Int, accumulation: Int)
  ) {
    var random = RandomStream(seed: 3)
    let updates = stepShuffledUpdates(
      units: sizes.groups, steps: 2..<2 + sizes.steps, minibatch: sizes.minibatch, accumulation: sizes.accumulation,
      random: &random)
    let all = updates.flatMap { $0 }.flatMap { $0 }
    #expect(all.count == sizes.groups * sizes.steps)
    #expect(Set(all).count == all.count)
    #expect(all.allSatisfy { (2..<2 + sizes.steps).contains($0.step) })
    for slot in 0..<sizes.steps {
      let part = all[slot * sizes.groups..<(slot + 1) * sizes.groups]
      #expect(Set(part.map(\.unit)).count == sizes.groups)
    }
    let perUpdate = sizes.minibatch * sizes.accumulation
    let updatesPerSlot = (sizes.groups + perUpdate - 1) / perUpdate
    #expect(updates.count == sizes.steps * updatesPerSlot)
    #expect(updates.allSatisfy { $0.count <= sizes.accumulation && $0.allSatisfy { $0.count <= sizes.minibatch } })
  }

  @Test func `the order depends only on the random stream`() {
    func order(_ seed: UInt64) -> [[[UnitStep]]] {
      var random = RandomStream(seed: seed)
      return stepShuffledUpdates(units: 9, steps: 0..<4, minibatch: 2, accumulation: 1, random: &random)
    }
    #expect(order(1) == order(1))
    #expect(order(1) != order(2))
  }
}
