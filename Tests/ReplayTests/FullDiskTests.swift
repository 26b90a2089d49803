import Fixtures
import Foundation
import Replay
import Settings
import Testing

@Suite("A full disk")
struct FullDiskTests {
  @Test(
    "is told as such, loses nothing that was committed, and the store goes on when there is room",
    .enabled(if: SmallDisk.isAllowed, "a small disk of its own cannot be mounted here; run as root to include this test"))
  func full() throws {
    _ = try SmallDisk.with(mebibytes: 1) { disk in
      let ballast = disk.appendingPathComponent("ballast")
      try Data(repeating: 1, count: 900 << 10).write(to: ballast)
      let replay = disk.appendingPathComponent("replay")
      var stored: [Int] = []
      do {
        let store = try ReplayStore(
          folder: replay, origin: exampleOrigin, settings: ReplaySettings { $0.segmentGroups = 8 })
        var failure: ReplayError?
        for number in 0..<1_000 {
          failure = replayError { try store.add(number) }
          if failure != nil { break }
          try store.commit()
          stored.append(number)
        }
        #expect(failure?.kind == .full)
        #expect(failure?.description.contains("free some room") == true)
        #expect(replayError { try store.add(stored.count) }?.kind == .full)
        #expect(store.numbers == stored)
        // No room to seal either; the journal keeps all.
        #expect(replayError { try store.maintain() }?.kind == .full)
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
