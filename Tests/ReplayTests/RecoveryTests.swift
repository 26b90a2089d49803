import Engine
import Foundation
import Messages
import Replay
import Settings
import Testing

@Suite struct RecoveryTests {
  private func fill(_ folder: URL, _ count: Int) throws {
    let store = try ReplayStore(folder: folder, origin: exampleOrigin)
    for number in 0..<count { try store.add(number) }
    try store.commit()
  }

  private func open(_ folder: URL) throws -> ReplayStore { try ReplayStore(folder: folder, origin: exampleOrigin) }

  @Test func `a journal that is cut in its last record keeps the other groups`() throws {
    try withFolder { folder in
      try fill(folder, 3)
      let path = folder.appendingPathComponent("journal-000001")
      let whole = try Data(contentsOf: path)
      let last = encoded(exampleGroup(2)).count + 32
      for length in whole.count - last..<whole.count {
        try whole.prefix(length).write(to: path)
        // A repair waits for the disk, so most rounds only read.
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

  @Test func `2,000 flipped bits are found, and every other group stays`() throws {
    try withFolder { folder in
      try fill(folder, 4)
      let path = folder.appendingPathComponent("journal-000001")
      let whole = try Data(contentsOf: path)
      let first = whole.count - (0..<4).map { encoded(exampleGroup($0)).count + 32 }.reduce(0, +)
      var random = RandomStream(seed: 3).fork("flips")
      for round in 0..<2_000 * fuzzScale {
        let flipped = first + random.integer(below: whole.count - first)
        var bytes = whole
        bytes[flipped] ^= 1 << UInt8(random.integer(below: 8))
        try bytes.write(to: path)
        // A repair waits for the disk, so most rounds only read.
        let store = try round % 50 == 0 ? open(folder) : ReplayStore(reading: folder)
        try #require(store.count == 3, "bit flipped in byte \(flipped)")
        try #require(store.damage.count == 1)
        let lost = try #require(Set(0..<4).subtracting(store.numbers).first)
        try #require(store.damage[0].isTornTail == (lost == 3))
      }
      // Damage in the middle is moved to quarantine, and the next opening finds none.
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

  @Test func `a crash between two steps of sealing loses nothing and stores nothing twice`() throws {
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

      // The files that a crash leaves, with an unfinished segment in all cases.
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
        for name in try names(folder) where name.contains("partial") { Issue.record("\(name) was not removed") }
        for path in try segmentPaths(folder) where path != segment.path { try files.removeItem(atPath: path) }
        for name in try names(folder) where name.hasPrefix("journal") {
          try files.removeItem(at: folder.appendingPathComponent(name))
        }
      }
    }
  }

  @Test func `a damaged segment is moved to quarantine, and the rest stays usable`() throws {
    try withFolder { folder in
      do {
        let store = try openStore(folder, segmentGroups: 2)
        try store.fill(0..<4)
      }
      let path = folder.appendingPathComponent("segment-000001.h5")
      let whole = try Data(contentsOf: path)
      var random = RandomStream(seed: 5).fork("flips")
      // Whichever bit is flipped, a group is correct or cannot be read.
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
