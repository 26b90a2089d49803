// A run whose disk is full for some epochs.

import Configuration
import Engine
import Fixtures
import Foundation
import Learner
import Messages
import Telemetry
import Testing

private func fill(_ file: URL) throws {
  guard FileManager.default.createFile(atPath: file.path, contents: nil) else { throw CocoaError(.fileWriteUnknown) }
  let handle = try FileHandle(forWritingTo: file)
  for size in [1 << 20, 4096, 1] {
    while (try? handle.write(contentsOf: Data(repeating: 7, count: size))) != nil {}
  }
}

@Suite struct FullDiskTests {
  @Test(.enabled(if: SmallDisk.isAllowed, "mounting a small disk is not permitted; run as root to include this test"))
  func `on a full disk a run loses the metrics and checkpoints that do not fit, and continues`() throws {
    _ = try SmallDisk.with(mebibytes: 64) { disk in
      var run = try SmallRun()
      defer { run.remove() }
      run.configuration.run.folder = disk.appending(path: "run").path
      run.configuration.evaluation.every = 1
      let ballast = disk.appending(path: "ballast")
      let intake = try run.train { intake in
        intake.change = { groups in
          do {
            // The disk is full in the second and third epochs; a checkpoint is due at the end of the second.
            if groups[0].epoch == 1 { try fill(ballast) }
            if groups[0].epoch == 3 { try FileManager.default.removeItem(at: ballast) }
          } catch { Issue.record(error) }
          return groups
        }
      }
      #expect(intake.published.map(\.version) == [0, 1, 2, 3, 4])
      // A short line may fit into the last page of the file, but no line is incomplete.
      let steps = try run.metrics().map(\.step)
      #expect(steps.first == 0 && steps.last == 3 && steps == Set(steps).sorted(), "\(steps)")
      let samples = try FileManager.default.contentsOfDirectory(atPath: run.runFolder.appending(path: "samples").path)
      #expect(!samples.contains("epoch-1.png") && samples.contains("epoch-3.png"), "\(samples)")
      let names = try FileManager.default.contentsOfDirectory(atPath: run.runFolder.appending(path: "checkpoints").path)
      #expect(names.sorted() == ["latest", "step-000004"])
    }
  }
}
