import Engine
import Foundation
import Messages
import Replay
import Settings
import Testing

/// Ten times as many flips, and so on, where the environment asks for a longer run.
private let scale = ProcessInfo.processInfo.environment["STEPWISE_FUZZ_SCALE"].flatMap { Int($0) } ?? 1

@Suite("A replay survives")
struct RecoveryTests {
  /// A folder with `count` committed groups in its journal.
  private func fill(_ folder: URL, _ count: Int) throws {
    let store = try ReplayStore(folder: folder, origin: exampleOrigin)
    for number in 0..<count { try store.add(number) }
    try store.commit()
  }

  private func open(_ folder: URL) throws -> ReplayStore { try ReplayStore(folder: folder, origin: exampleOrigin) }

  @Test("a journal cut at every byte of its last record: the others stay, the cut one never comes back as data")
  func cut() throws {
    try withFolder { folder in
      try fill(folder, 3)
      let path = folder.appendingPathComponent("journal-000001")
      let whole = try Data(contentsOf: path)
      let last = encoded(exampleGroup(2)).count + 32
      for length in whole.count - last..<whole.count {
        try whole.prefix(length).write(to: path)
        // Repairing waits for the disk, so most rounds only read.
        let repairs = length % 97 == 0
        let store = try repairs ? open(folder) : ReplayStore(reading: folder)
        try #require(store.numbers == [0, 1], "cut to \(length)")
        try #require(store.damage.count == (length == whole.count - last ? 0 : 1))
        try #require(store.damage.allSatisfy { $0.isTornTail })
        if repairs {
          #expect(try store.add(2) == .stored)
          #expect(try store.holdsExample(0))
          #expect(try store.holdsExample(2))
        }
      }
    }
  }

  @Test("2,000 flipped bits are found, and every other group stays")
  func flips() throws {
    try withFolder { folder in
      try fill(folder, 4)
      let path = folder.appendingPathComponent("journal-000001")
      let whole = try Data(contentsOf: path)
      let first = whole.count - (0..<4).map { encoded(exampleGroup($0)).count + 32 }.reduce(0, +)
      var random = RandomStream(seed: 3).fork("flips")
      for round in 0..<2_000 * scale {
        let place = first + random.integer(below: whole.count - first)
        var bytes = whole
        bytes[place] ^= 1 << UInt8(random.integer(below: 8))
        try bytes.write(to: path)
        // Repairing waits for the disk, so most rounds only read.
        let store = try round % 50 == 0 ? open(folder) : ReplayStore(reading: folder)
        try #require(store.count == 3, "bit flipped in byte \(place)")
        try #require(store.damage.count == 1)
        let lost = try #require(Set(0..<4).subtracting(store.numbers).first)
        try #require(store.damage[0].isTornTail == (lost == 3))
      }
      // Once more, in the middle: what was damaged is set aside, and the next opening is clean.
      var bytes = whole
      bytes[first + 100] ^= 4
      try bytes.write(to: path)
      do {
        let store = try open(folder)
        #expect(store.damage[0].problem.contains("quarantine/journal-000001-at-\(first)"))
        for number in 1..<4 { #expect(try store.holdsExample(number)) }
        #expect(try store.add(0) == .stored)
        #expect(try store.holdsExample(0))
        try store.commit()
      }
      let store = try open(folder)
      #expect(store.damage.isEmpty)
      #expect(store.numbers == [0, 1, 2, 3])
      #expect(store.verify().isEmpty)
    }
  }

  @Test("a crash between any two steps of sealing loses nothing and keeps nothing twice")
  func sealing() throws {
    try withFolder { folder in
      try fill(folder, 3)
      let files = FileManager.default
      let journal = folder.appendingPathComponent("journal-000001")
      let before = try Data(contentsOf: journal)
      do { try open(folder).seal() }
      #expect(try names(folder) == ["journal-000002", "segment-000001.h5"])
      let next = folder.appendingPathComponent("journal-000002")
      let segment = folder.appendingPathComponent("segment-000001.h5")
      let sealed = try Data(contentsOf: segment)
      let begun = try Data(contentsOf: next)

      // Which files a crash left; the last name is a half-written segment.
      for (hasSegment, hasNext) in [(false, false), (true, false), (true, true), (false, true)] {
        try before.write(to: journal)
        try? files.removeItem(at: segment)
        try? files.removeItem(at: next)
        if hasSegment { try sealed.write(to: segment) }
        if hasNext { try begun.write(to: next) }
        try sealed.prefix(1000).write(to: folder.appendingPathComponent("segment-000001.h5.partial"))
        let store = try open(folder)
        #expect(store.numbers == [0, 1, 2])
        #expect(store.trajectoryCount == 6)
        #expect(store.damage.isEmpty)
        for number in 0..<3 {
          #expect(try store.holdsExample(number))
          #expect(try store.add(number) == .duplicate)
        }
        try store.add(3)
        try store.seal()
        #expect(store.numbers == [0, 1, 2, 3])
        for name in try names(folder) where name.contains("partial") { Issue.record("\(name) was left") }
        for path in store.segmentPaths where path != segment.path { try files.removeItem(atPath: path) }
        for name in try names(folder) where name.hasPrefix("journal") {
          try files.removeItem(at: folder.appendingPathComponent(name))
        }
      }
    }
  }

  @Test("a damaged segment is found, named and set aside, and the rest works on")
  func damagedSegment() throws {
    try withFolder { folder in
      do {
        let store = try ReplayStore(
          folder: folder, origin: exampleOrigin, settings: ReplaySettings { $0.segmentGroups = 2 })
        for number in 0..<4 {
          try store.add(number)
          try store.commit()
          try store.maintain()
        }
      }
      let path = folder.appendingPathComponent("segment-000001.h5")
      let whole = try Data(contentsOf: path)
      var random = RandomStream(seed: 5).fork("flips")
      // Any bit: the group is right, or it is an error; never other numbers.
      for _ in 0..<300 {
        var bytes = whole
        bytes[random.integer(below: whole.count)] ^= 1 << UInt8(random.integer(below: 8))
        try bytes.write(to: path)
        let store = try ReplayStore(reading: folder)
        #expect(try store.holdsExample(2))
        #expect(try store.holdsExample(3))
        for number in store.numbers where number < 2 {
          do {
            #expect(try store.holdsExample(number))
          } catch let error as ReplayError {
            #expect(error.path == path.path)
            #expect(!store.verify().isEmpty)
          }
        }
      }
      try whole.prefix(whole.count / 2).write(to: path)
      let store = try open(folder)
      #expect(store.damage.count == 1)
      #expect(store.damage[0].path == path.path)
      #expect(store.numbers == [2, 3])
      #expect(try names(folder) == ["journal-000003", "quarantine", "segment-000002.h5"])
      #expect(try store.add(0) == .stored)
    }
  }
}
