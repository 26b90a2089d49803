// Items with keys that are drawn in O(log n): all with the same chance, in proportion to their keys, or the largest
// first. A draw depends only on the keys and a random stream: every inner node is recomputed from its two children and
// never adjusted, so it does not accumulate rounding errors.

package import Engine

/// A complete binary tree over items 0, 1, 2, ... some of which are absent.
package struct SelectionTree: Sendable, Equatable {
  /// A summary of the items below a node.
  private struct Node: Equatable {
    /// Number of items.
    var count = 0
    /// Sum of the positive keys.
    var sum = 0.0
    var largest = -Double.infinity
    /// Number of items with the largest key.
    var largestCount = 0

    init() {}

    init(key: Double) {
      count = 1
      sum = max(key, 0)
      largest = key
      largestCount = 1
    }

    init(_ left: Node, _ right: Node) {
      count = left.count + right.count
      sum = left.sum + right.sum
      largest = max(left.largest, right.largest)
      largestCount = (left.largest == largest ? left.largestCount : 0)
        + (right.largest == largest ? right.largestCount : 0)
    }
  }

  /// Node 1 is the root, nodes 2 i and 2 i + 1 are the children of node i, the second half are the leaves.
  private var nodes = [Node](repeating: Node(), count: 2)
  private var capacity: Int { nodes.count / 2 }

  package init() {}

  package var count: Int { nodes[1].count }
  /// Sum of the positive keys.
  package var total: Double { nodes[1].sum }
  /// The largest key; nil without items.
  package var largest: Double? { count == 0 ? nil : nodes[1].largest }

  /// The key of an item, nil where it is absent; setting takes O(log n). A key is finite.
  package subscript(item: Int) -> Double? {
    get { item < capacity && nodes[capacity + item].count == 1 ? nodes[capacity + item].largest : nil }
    set {
      check(item >= 0 && newValue?.isFinite != false, "SelectionTree: item \(item), key \(newValue ?? 0)")
      if item >= capacity {
        if newValue == nil { return }
        grow(beyond: item)
      }
      var place = capacity + item
      nodes[place] = newValue.map { Node(key: $0) } ?? Node()
      while place > 1 {
        place /= 2
        nodes[place] = Node(nodes[2 * place], nodes[2 * place + 1])
      }
    }
  }

  private mutating func grow(beyond item: Int) {
    var wider = capacity
    while wider <= item { wider *= 2 }
    let leaves = nodes[capacity...]
    nodes = [Node](repeating: Node(), count: wider) + leaves
      + [Node](repeating: Node(), count: wider - leaves.count)
    for place in stride(from: wider - 1, to: 0, by: -1) {
      nodes[place] = Node(nodes[2 * place], nodes[2 * place + 1])
    }
  }

  /// A random item, all with the same chance; nil without items.
  package func uniform(_ random: inout RandomStream) -> Int? {
    guard count > 0 else { return nil }
    var rest = random.integer(below: count)
    return descend { left, _ in
      if rest < left.count { return true }
      rest -= left.count
      return false
    }
  }

  /// A random item with the chance max(key, 0) / `total`; nil when no key is positive.
  package func proportional(_ random: inout RandomStream) -> Int? {
    guard total > 0 else { return nil }
    // 53 bits, the precision of a Double: the 24 bits of a Float are too few for large tables.
    var rest = Double(random.integer(below: 1 << 53)) / Double(1 << 53) * total
    return descend { left, right in
      // Rounding must not lead to a subtree without positive keys.
      if left.sum > 0, rest < left.sum || right.sum == 0 { return true }
      rest -= left.sum
      return false
    }
  }

  /// A random item among those with the largest key; nil without items.
  package func largest(_ random: inout RandomStream) -> Int? {
    guard count > 0 else { return nil }
    let key = nodes[1].largest
    var rest = random.integer(below: nodes[1].largestCount)
    return descend { left, _ in
      guard left.largest == key else { return false }
      if rest < left.largestCount { return true }
      rest -= left.largestCount
      return false
    }
  }

  /// - Parameter goesLeft: whether the item is in the first of two subtrees.
  private func descend(_ goesLeft: (Node, Node) -> Bool) -> Int {
    var place = 1
    while place < capacity { place = goesLeft(nodes[2 * place], nodes[2 * place + 1]) ? 2 * place : 2 * place + 1 }
    return place - capacity
  }
}
