import Foundation
import Learner
import Messages
import Replay
import Testing
import Transport

/// Runs a command; true when it ended well.
private func run(_ command: String...) -> Bool {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  process.standardOutput = FileHandle.nullDevice
  process.standardError = FileHandle.nullDevice
  do { try process.run() } catch { return false }
  process.waitUntilExit()
  return process.terminationStatus == 0
}

/// Calls `body` with a folder on a disk of its own of eight mebibytes; nil where mounting is not allowed.
private func withSmallDisk<Result>(_ body: (URL) throws -> Result) throws -> Result? {
  let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-disk-" + UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  guard run("mount", "-t", "tmpfs", "-o", "size=8m", "stepwise-test", folder.path) else { return nil }
  defer { _ = run("umount", "-l", folder.path) }
  return try body(folder)
}

private let mayMount = (try? withSmallDisk { _ in true }) == true

@Suite("A learner whose disk is full")
struct LearnerFullDiskTests {
  @Test(
    "acknowledges nothing, goes on serving, and takes groups again when there is room",
    .enabled(if: mayMount, "a small disk of its own cannot be mounted here; run as root to include this test"))
  func full() throws {
    var bench = try Bench(groupsPerEpoch: 5_000)
    defer { bench.remove() }
    _ = try withSmallDisk { disk in
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
      // It serves on.
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
