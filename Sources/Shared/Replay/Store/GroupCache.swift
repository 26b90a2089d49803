// Decoded groups in memory, so that training that draws the same groups again does not read them from disk. A plain
// value. A full cache evicts groups that were not read since the clock's hand last passed them (the clock algorithm,
// Corbató 1969). This takes constant time per group and keeps nearly the same groups as least recently used.

internal import Messages

/// Groups by number, limited by their bytes.
struct GroupCache {
  private struct Slot {
    let group: TrajectoryGroup
    let byteCount: Int
    var isUsed = false
  }

  private let limit: Int
  private(set) var byteCount = 0
  private var slots: [Slot] = []
  private var indices: [Int: Int] = [:]
  private var hand = 0

  /// - Parameter limit: in bytes; 0 keeps no group.
  init(limit: Int) { self.limit = limit }

  var count: Int { slots.count }

  /// The group of a number; nil when it is not in the cache.
  mutating func group(_ number: Int) -> TrajectoryGroup? {
    guard let index = indices[number] else { return nil }
    slots[index].isUsed = true
    return slots[index].group
  }

  /// Keeps a group and evicts others to make room. A group larger than the whole cache is not kept.
  mutating func insert(_ group: TrajectoryGroup) {
    let size = group.stateByteCount
    guard size <= limit, indices[group.number] == nil else { return }
    while byteCount + size > limit { evict() }
    indices[group.number] = slots.count
    slots.append(Slot(group: group, byteCount: size))
    byteCount += size
  }

  mutating func remove(_ number: Int) {
    if let index = indices[number] { remove(at: index) }
  }

  private mutating func evict() {
    if hand >= slots.count { hand = 0 }
    while slots[hand].isUsed {
      slots[hand].isUsed = false
      hand = (hand + 1) % slots.count
    }
    remove(at: hand)
  }

  private mutating func remove(at index: Int) {
    indices[slots[index].group.number] = nil
    byteCount -= slots[index].byteCount
    let last = slots.removeLast()
    guard index < slots.count else { return }
    slots[index] = last
    indices[last.group.number] = index
  }
}
