import Durable
import Fixtures
import Foundation
import Glibc
import Replay
import Settings
import Testing

@Suite struct FullDiskTests {
  @Test(.enabled(if: SmallDisk.isAllowed, "mounting a small disk needs root"))
  func `a full disk loses no committed group, and the store continues when there is space`() throws {
    _ = try SmallDisk.with(mebibytes: 1) { disk in
      let ballast = disk.appendingPathComponent("ballast")
      try Data(repeating: 1, count: 900 << 10).write(to: ballast)
      let replay = disk.appendingPathComponent("replay")
      var stored: [Int] = []
      do {
        let store = try ReplayStore(folder: replay, origin: exampleOrigin, settings: ReplaySettings { $0.segmentGroups = 8 })
        var full: (any Error)?
        for number in 0..<1_000 {
          full = failure { try store.add(number) }
          if full != nil { break }
          try store.commit()
          stored.append(number)
        }
        let error = try #require(full as? SystemError)
        #expect(error.code == ENOSPC && isOutOfSpace(error))
        #expect(error.description.hasSuffix("No space left on device; free space on this disk"))
        #expect(failure { try store.add(stored.count) }.map(isOutOfSpace) == true)
        #expect(store.numbers == stored)
        // HDF5 finds no space for a segment either; the journal keeps the groups.
        #expect(failure { try store.maintain() }.map(isOutOfSpace) == true)
        for number in stored { #expect(try store.holdsExample(number)) }

        try FileManager.default.removeItem(at: ballast)
        #expect(try store.add(stored.count) == .stored)
        stored.append(stored.count)
        try store.seal()
        #expect(store.segmentCount == 1)
      }
      let store = try ReplayStore(folder: replay, origin: exampleOrigin)
      #expect(store.numbers == stored)
      #expect(store.damage.isEmpty)
      for number in stored { #expect(try store.holdsExample(number)) }
    }
  }
}
