import Foundation
import Replay
import Testing

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

/// Calls `body` with a folder on a disk of its own of one mebibyte; nil where mounting is not allowed.
private func withSmallDisk<Result>(_ body: (URL) throws -> Result) throws -> Result? {
  try withFolder { folder in
    guard run("mount", "-t", "tmpfs", "-o", "size=1m", "stepwise-test", folder.path) else { return nil }
    defer { _ = run("umount", "-l", folder.path) }
    return try body(folder)
  }
}

private let mayMount = (try? withSmallDisk { _ in true }) == true

@Suite("A full disk")
struct FullDiskTests {
  @Test(
    "is told as such, loses nothing that was committed, and the store goes on when there is room",
    .enabled(if: mayMount, "a small disk of its own cannot be mounted here; run as root to include this test"))
  func full() throws {
    _ = try withSmallDisk { disk in
      let ballast = disk.appendingPathComponent("ballast")
      try Data(repeating: 1, count: 900 << 10).write(to: ballast)
      let replay = disk.appendingPathComponent("replay")
      var stored: [Int] = []
      do {
        let store = try ReplayStore(folder: replay, origin: exampleOrigin, settings: ReplaySettings(segmentGroups: 8))
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
