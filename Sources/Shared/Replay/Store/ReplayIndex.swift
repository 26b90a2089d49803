// Which groups are stored, and where: a plain value, rebuilt from the files.

internal import Messages

/// Where a stored group lies.
enum ReplayLocation: Equatable {
  /// A record of a journal, by the journal's number.
  case journal(Int, JournalRecord)
  /// A row of a sealed segment, by the segment's number.
  case segment(Int, row: Int)
}

/// All stored groups by number.
struct ReplayIndex {
  private var stored: [Int: (entry: ReplayEntry, location: ReplayLocation)] = [:]
  /// Ascending.
  private(set) var numbers: [Int] = []
  private(set) var trajectoryCount = 0
  /// Numbers stored once whose groups were dropped since.
  var dropped = NumberSet()

  func contains(_ number: Int) -> Bool { stored[number] != nil || dropped.contains(number) }
  func entry(_ number: Int) -> ReplayEntry? { stored[number]?.entry }
  func location(_ number: Int) -> ReplayLocation? { stored[number]?.location }

  /// Adds a group, or moves it to another place.
  mutating func insert(_ entry: ReplayEntry, at location: ReplayLocation) {
    if stored.updateValue((entry, location), forKey: entry.number) != nil { return }
    trajectoryCount += entry.trajectoryCount
    // Groups come nearly in order.
    var place = numbers.count
    while place > 0, numbers[place - 1] > entry.number { place -= 1 }
    numbers.insert(entry.number, at: place)
  }

  /// Forgets the groups that lie in a segment, and returns their numbers.
  mutating func remove(segment: Int) -> [Int] {
    let gone = numbers.filter {
      if case .segment(segment, _) = stored[$0]?.location { true } else { false }
    }
    for number in gone {
      if let old = stored.removeValue(forKey: number) { trajectoryCount -= old.entry.trajectoryCount }
    }
    let set = Set(gone)
    numbers.removeAll { set.contains($0) }
    return gone
  }
}
