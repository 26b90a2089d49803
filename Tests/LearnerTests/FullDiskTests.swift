import Fixtures
import Foundation
import Learner
import Messages
import Replay
import Testing
import Transport

@Suite struct LearnerFullDiskTests {
  @Test(.enabled(if: SmallDisk.isAllowed, "mounting a small disk needs root"))
  func `on a full disk the learner acknowledges nothing, and stores groups when there is space`() throws {
    var bench = try Bench(groupsPerEpoch: 5_000)
    defer { bench.remove() }
    _ = try SmallDisk.with(mebibytes: 8) { disk in
      let ballast = disk.appending(path: "ballast")
      bench.settings.replayFolder = disk.appending(path: "replay")
      try Data(repeating: 1, count: (8 << 20) - (128 << 10)).write(to: ballast)
      let learner = try bench.learner()
      let ada = try FakeActor(bench)
      try ada.join()
      let work = try ada.work(capacity: 5_000).map { bench.group($0) }
      var acknowledged = 0
      for group in work {
        try ada.send(.group(group))
        if try ada.receivesNothing() { break }
        acknowledged += 1
      }
      #expect(acknowledged > 10 && acknowledged < work.count)
      // It still answers.
      #expect(try ada.work(capacity: 1, held: work.map(\.number)).isEmpty)
      #expect(learner.metrics["replay/insert_wait"] != nil)
      try FileManager.default.removeItem(at: ballast)
      try ada.deliver([work[acknowledged], work[acknowledged + 1]])
      try learner.end()
      let store = try ReplayStore(reading: bench.settings.replayFolder)
      #expect(store.entries.map(\.number) == Array(0..<acknowledged + 2))
    }
  }
}
