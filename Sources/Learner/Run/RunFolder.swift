// A run's folder: who it is, what it was configured with, and whether there is something to resume.

package import Configuration
package import Foundation
internal import Durable
internal import Logging
internal import Training

/// The folder of one run.
package struct RunFolder: Sendable {
  /// The folder.
  package let url: URL
  /// Names the run to its actors and in its replay; chosen when the folder is first used.
  package let runID: String

  /// Opens a run's folder, which is made and gets its name when it is new.
  ///
  /// - Throws: `TrainingError` when it cannot be read or written.
  package init(_ configuration: Configuration) throws {
    url = URL(filePath: configuration.run.folder)
    let identity = Self.identity(url)
    if FileManager.default.fileExists(atPath: identity.path) {
      var text = ""
      try Self.attempt(identity, "read") { text = try String(contentsOf: identity, encoding: .utf8) }
      runID = text.trimmingCharacters(in: .whitespacesAndNewlines)
      guard !runID.isEmpty else {
        throw TrainingError("\(identity.path): expected the run's name, found an empty file; choose another run folder")
      }
    } else {
      var generator = SystemRandomNumberGenerator()
      runID = "\(url.lastPathComponent)-\(String(generator.next(), radix: 36))"
      let folder = url
      try Self.attempt(url, "made") {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      }
      try Self.write(runID + "\n", to: identity)
    }
  }

  /// Locks a run's folder, before anything in it is touched, and starts the run; one that cannot start leaves no folder
  /// behind where there was none.
  ///
  /// - Throws: `TrainingError` when another learner has the folder; what `start` throws.
  static func leavingNothing<Result>(
    _ configuration: Configuration, _ logger: Logger, _ start: (RunLock) throws -> Result
  ) throws -> Result {
    let url = URL(filePath: configuration.run.folder)
    let files = FileManager.default
    let wasThere = files.fileExists(atPath: url.path)
    // Another's folder is not ours to remove.
    let lock = try RunLock(url, logger: logger)
    do { return try start(lock) } catch {
      if !wasThere, files.fileExists(atPath: url.path) {
        try attempt(url, "removed") { try files.removeItem(at: url) }
      }
      throw error
    }
  }

  /// Where a run keeps its trajectories.
  static func replay(_ configuration: Configuration) -> URL {
    URL(filePath: configuration.run.folder).appending(path: "replay")
  }

  private static func identity(_ url: URL) -> URL { url.appending(path: "run-id") }

  /// Refuses a folder that holds a run already.
  ///
  /// - Throws: `TrainingError` saying what to do.
  package static func requireNew(_ configuration: Configuration) throws {
    let url = URL(filePath: configuration.run.folder)
    if FileManager.default.fileExists(atPath: identity(url).path) {
      throw TrainingError(
        "\(url.path): expected a folder without a run, found one; go on with it (--resume), or choose another "
          + "(--set run.folder=FOLDER)")
    }
  }

  /// Writes the complete configuration into the folder.
  ///
  /// - Throws: `TrainingError` when it cannot be written.
  package func keep(_ configuration: Configuration) throws {
    try Self.write(configuration.encodeYAML(), to: url.appending(path: "config.yaml"))
  }

  private static func write(_ text: String, to file: URL) throws {
    try writeDurably(text.utf8, to: file)
  }

  private static func attempt(_ url: URL, _ verb: String, _ body: () throws -> Void) throws {
    do { try body() } catch {
      throw TrainingError(
        "\(url.path): it could not be \(verb): \(error.localizedDescription); free space, or choose another run folder")
    }
  }
}
