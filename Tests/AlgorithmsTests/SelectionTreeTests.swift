// A tree of items that are drawn by their keys.

import Algorithms
import Engine
import Foundation
import Testing

@Suite struct SelectionTreeTests {
  @Test func `20,000 random changes and draws agree with a dictionary`() {
    var tree = SelectionTree()
    var keys: [Int: Double] = [:]
    var random = RandomStream(seed: 1).fork("steps")
    for step in 0..<20_000 {
      let item = random.integer(below: 1 + step / 40)
      if random.integer(below: 4) == 0 {
        tree[item] = nil
        keys[item] = nil
      } else {
        // Few different keys, so that some are equal; some are negative.
        let key = Double(random.integer(below: 12) - 3) / 4
        tree[item] = key
        keys[item] = key
      }
      #expect(tree.count == keys.count)
      #expect(tree[item] == keys[item])
      if step % 100 == 0 {
        #expect(tree.largest == keys.values.max())
        // Multiples of a quarter are added without rounding.
        #expect(tree.total == keys.values.reduce(0) { $0 + max($1, 0) })
      }
      if let drawn = tree.uniform(&random) { #expect(keys[drawn] != nil) } else { #expect(keys.isEmpty) }
      if let drawn = tree.largest(&random) { #expect(keys[drawn] == keys.values.max()) }
      if let drawn = tree.proportional(&random) { #expect(keys[drawn]! > 0) } else { #expect(tree.total == 0) }
    }
  }

  @Test func `items are drawn as often as their keys require`() {
    let keys: [Double?] = [1, nil, 3, 0, -5, 4, nil, 4, 0.5]
    var tree = SelectionTree()
    for (item, key) in keys.enumerated() { tree[item] = key }
    var random = RandomStream(seed: 2)
    let rounds = 40_000
    var uniform = [Int](repeating: 0, count: keys.count), proportional = uniform, largest = uniform
    for _ in 0..<rounds {
      uniform[tree.uniform(&random)!] += 1
      proportional[tree.proportional(&random)!] += 1
      largest[tree.largest(&random)!] += 1
    }
    // Five standard deviations of a binomial share.
    func holds(_ counts: [Int], _ expected: (Double) -> Double) {
      for (item, key) in keys.enumerated() {
        let share = key.map(expected) ?? 0
        #expect(
          abs(Double(counts[item]) / Double(rounds) - share) <= 5 * (share * (1 - share) / Double(rounds)).squareRoot(),
          "item \(item)")
      }
    }
    holds(uniform) { _ in 1.0 / 7 }
    holds(proportional) { max($0, 0) / 12.5 }
    holds(largest) { $0 == 4 ? 0.5 : 0 }
  }

  @Test func `a tree does not depend on the order in which it was filled`() {
    var tree = SelectionTree()
    for item in 0..<100 { tree[item] = Double(item) / 7 }
    for item in stride(from: 0, to: 100, by: 3) { tree[item] = nil }
    var other = SelectionTree()
    for item in (0..<100).reversed() where item % 3 != 0 { other[item] = Double(item) / 7 }
    #expect(tree == other)
    var one = RandomStream(seed: 3), same = RandomStream(seed: 3)
    for _ in 0..<100 { #expect(tree.proportional(&one) == other.proportional(&same)) }
  }

  @Test func `trees of one item and of none work`() {
    var tree = SelectionTree(), random = RandomStream(seed: 4)
    #expect(tree.uniform(&random) == nil)
    #expect(tree.largest == nil)
    tree[0] = -1
    #expect(tree.uniform(&random) == 0)
    #expect(tree.largest(&random) == 0)
    #expect(tree.proportional(&random) == nil)
    #expect(tree[5] == nil)
    tree[5] = nil
    #expect(tree.count == 1)
  }
}
