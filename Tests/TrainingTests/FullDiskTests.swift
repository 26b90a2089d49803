// A run whose disk is full for a while.

import Configuration
import Engine
import Fixtures
import Foundation
import Learner
import Messages
import Telemetry
import Testing

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
    .enabled(if: SmallDisk.isAllowed, "a small disk of its own cannot be mounted here; run as root to include this test"))
  func fullDisk() throws {
    _ = try SmallDisk.with(mebibytes: 64) { disk in
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
