import Engine
import Foundation
import Messages
import Replay
import Settings
import Testing

@Suite struct GroupCacheTests {
  @Test func `the cache returns stored groups and stays within its limit`() throws {
    try withFolder { folder in
      let size = exampleGroup(0).stateByteCount
      let store = try ReplayStore(
        folder: folder, origin: exampleOrigin,
        settings: ReplaySettings {
          $0.segmentGroups = 7
          $0.maximumTrajectories = 60
          $0.cacheBytes = 10 * size + size / 2
        })
      var random = RandomStream(seed: 4).fork("cache")
      var largest = 0
      for number in 0..<60 {
        let group = exampleGroup(number)
        try store.append(group, bytes: encoded(group))
        try store.commit()
        store.oldestNeededEpoch = .max
        try store.maintain()
        for _ in 0..<4 {
          let numbers = store.entries.map(\.number)
          let drawn = numbers[random.integer(below: numbers.count)]
          #expect(encoded(try store.group(drawn)) == encoded(exampleGroup(drawn)))
        }
        largest = max(largest, store.cachedByteCount)
        #expect(store.cachedByteCount <= 10 * size + size / 2)
      }
      #expect(largest == 10 * size)
      // Dropped groups are gone from the cache too.
      #expect(store.droppedCount > 0)
      for number in 0..<60 where !store.entries.contains(where: { $0.number == number }) {
        #expect(throws: ReplayError.self) { try store.group(number) }
      }
    }
  }
}
