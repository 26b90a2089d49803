// A run whose disk is full for a while.

import Configuration
import Foundation
import Learner
import Messages
import Telemetry
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

/// Calls `body` with a folder on a disk of its own; nil where mounting is not allowed.
private func withSmallDisk<Result>(_ body: (URL) throws -> Result) throws -> Result? {
  let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-disk-" + UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  guard run("mount", "-t", "tmpfs", "-o", "size=64m", "stepwise-test", folder.path) else { return nil }
  defer { _ = run("umount", "-l", folder.path) }
  return try body(folder)
}

private let mayMount = (try? withSmallDisk { _ in true }) == true

/// Writes until nothing more fits.
private func fill(_ file: URL) throws {
  guard FileManager.default.createFile(atPath: file.path, contents: nil) else { throw CocoaError(.fileWriteUnknown) }
  let handle = try FileHandle(forWritingTo: file)
  for size in [1 << 20, 4096, 1] {
    while (try? handle.write(contentsOf: Data(repeating: 7, count: size))) != nil {}
  }
}

@Suite("Training on a full disk")
struct FullDiskTests {
  @Test(
    "loses the metrics and checkpoints that do not fit, and goes on",
    .enabled(if: mayMount, "a small disk of its own cannot be mounted here; run as root to include this test"))
  func fullDisk() throws {
    _ = try withSmallDisk { disk in
      var run = try SmallRun()
      defer { run.remove() }
      run.configuration.run.folder = disk.appending(path: "run").path
      run.configuration.evaluation.every = 1
      let ballast = disk.appending(path: "ballast")
      let intake = try run.train { intake in
        intake.change = { groups in
          do {
            // During the second and third epochs, at whose end a checkpoint is due.
            if groups[0].epoch == 1 { try fill(ballast) }
            if groups[0].epoch == 3 { try FileManager.default.removeItem(at: ballast) }
          } catch { Issue.record(error) }
          return groups
        }
      }
      #expect(intake.published.map(\.version) == [0, 1, 2, 3, 4])
      #expect(try MetricsRecord.read(run.runFolder.appending(path: "metrics.jsonl")).map(\.step) == [0, 3])
      let names = try FileManager.default.contentsOfDirectory(atPath: run.runFolder.appending(path: "checkpoints").path)
      #expect(names.sorted() == ["latest", "step-000004"])
    }
  }
}
