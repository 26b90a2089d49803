// The folder of a run as `stepwise run` and `stepwise quickstart` use it; the learner writes most of what is in it.

import Durable
import Foundation
import Supervision

struct RunFiles {
  let folder: URL

  var logs: URL { folder.appending(path: "logs") }
  var metrics: URL { folder.appending(path: "metrics.jsonl") }

  /// The adapter of the newest checkpoint; nil before the first checkpoint.
  var latestAdapter: URL? {
    let file = folder.appending(path: "checkpoints/latest/pytorch_lora_weights.safetensors")
    return FileManager.default.fileExists(atPath: file.path) ? file : nil
  }

  /// Whether the folder belongs to a run. The learner writes run-id first.
  var holdsRun: Bool { FileManager.default.fileExists(atPath: folder.appending(path: "run-id").path) }

  /// Creates the folder and logs/ in it.
  ///
  /// - Throws: `CommandError` when it holds a run and `resumes` is false, or none and `resumes` is true.
  func prepare(resumes: Bool) throws {
    if holdsRun && !resumes {
      throw CommandError(
        "\(folder.path) holds a run already; continue it with --resume, or choose another folder with "
          + "--set run.folder=PATH")
    }
    if resumes && !holdsRun { throw CommandError("\(folder.path) holds no run to resume; start one without --resume") }
    try Disk.createFolder(logs.path)
  }

  /// Runs `body`. When it fails before the learner has started, only logs/ stays, so that the folder can be used again.
  ///
  /// - Throws: what `body` throws.
  func clearingFailedStart<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      // The learner writes config.yaml once it has loaded everything and bound its endpoints.
      if !FileManager.default.fileExists(atPath: folder.appending(path: "config.yaml").path) {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name != "logs" {
          try FileManager.default.removeItem(at: folder.appending(path: name))
        }
      }
      throw error
    }
  }
}
