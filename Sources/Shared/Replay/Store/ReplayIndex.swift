// Which groups are stored, and where. A plain value that is rebuilt from the files.

internal import Messages

enum ReplayLocation: Equatable {
  /// A record of a journal, by the journal's number.
  case journal(Int, JournalRecord)
  /// A row of a sealed segment, by the segment's number.
  case segment(Int, row: Int)
}

struct ReplayIndex {
  private var stored: [Int: (entry: ReplayEntry, location: ReplayLocation)] = [:]
  private(set) var numbers: [Int] = []
  private(set) var trajectoryCount = 0
  /// Numbers of groups that were stored once and dropped since.
  var dropped = NumberSet()

  func contains(_ number: Int) -> Bool { stored[number] != nil || dropped.contains(number) }
  func entry(_ number: Int) -> ReplayEntry? { stored[number]?.entry }
  func location(_ number: Int) -> ReplayLocation? { stored[number]?.location }

  mutating func insert(_ entry: ReplayEntry, at location: ReplayLocation) {
    if stored.updateValue((entry, location), forKey: entry.number) != nil { return }
    trajectoryCount += entry.trajectoryCount
    // Groups arrive nearly in order.
    var position = numbers.count
    while position > 0, numbers[position - 1] > entry.number { position -= 1 }
    numbers.insert(entry.number, at: position)
  }

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
