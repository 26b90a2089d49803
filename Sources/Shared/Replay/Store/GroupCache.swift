// Decoded groups in memory, so that training that draws the same groups again does not read them from the disk. A plain
// value. Which go when it is full: those that were not read since the hand came by last (the clock algorithm, Corbató
// 1969), which costs a constant time a group and keeps nearly the same ones as least recently used would.

internal import Messages

/// Groups by number, at most so many bytes of them.
struct GroupCache {
  private struct Slot {
    let group: TrajectoryGroup
    let byteCount: Int
    var isUsed = false
  }

  private let limit: Int
  private(set) var byteCount = 0
  private var slots: [Slot] = []
  /// Where the group of a number is in `slots`.
  private var places: [Int: Int] = [:]
  private var hand = 0

  /// - Parameter limit: bytes; 0 keeps nothing.
  init(limit: Int) { self.limit = limit }

  var count: Int { slots.count }

  /// The group of a number, where it is kept.
  mutating func group(_ number: Int) -> TrajectoryGroup? {
    guard let place = places[number] else { return nil }
    slots[place].isUsed = true
    return slots[place].group
  }

  /// Keeps a group, and lets others go where there is no room; one larger than all the room is not kept.
  mutating func insert(_ group: TrajectoryGroup) {
    let size = group.stateByteCount
    guard size <= limit, places[group.number] == nil else { return }
    while byteCount + size > limit { evict() }
    places[group.number] = slots.count
    slots.append(Slot(group: group, byteCount: size))
    byteCount += size
  }

  mutating func remove(_ number: Int) {
    guard let place = places[number] else { return }
    remove(at: place)
  }

  private mutating func evict() {
    if hand >= slots.count { hand = 0 }
    while slots[hand].isUsed {
      slots[hand].isUsed = false
      hand = (hand + 1) % slots.count
    }
    remove(at: hand)
  }

  /// The last slot takes the place.
  private mutating func remove(at place: Int) {
    places[slots[place].group.number] = nil
    byteCount -= slots[place].byteCount
    let last = slots.removeLast()
    guard place < slots.count else { return }
    slots[place] = last
    places[last.group.number] = place
  }
}
