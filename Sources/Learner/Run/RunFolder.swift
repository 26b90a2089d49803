// The folder of a run: the run's name, its configuration, and whether there is a run to resume.

package import Configuration
package import Foundation
internal import Durable
internal import Logging
internal import Training

package struct RunFolder: Sendable {
  package let url: URL
  /// The run's name for its actors and in its replay; chosen when the folder is first used.
  package let runID: String

  /// Opens a run's folder. A new folder is created and gets a run name.
  ///
  /// - Throws: `SystemError` when it cannot be read or written; `TrainingError` when the run's name is missing.
  package init(_ configuration: Configuration) throws {
    url = URL(filePath: configuration.run.folder)
    let identity = Self.identity(url)
    if FileManager.default.fileExists(atPath: identity.path) {
      runID = String(decoding: try Disk.read(identity.path), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      guard !runID.isEmpty else {
        throw TrainingError("\(identity.path): the file is empty and should hold the run's name; choose another run folder")
      }
    } else {
      var generator = SystemRandomNumberGenerator()
      runID = "\(url.lastPathComponent)-\(String(generator.next(), radix: 36))"
      try Disk.createFolder(url.path)
      try Disk.writeWhole((runID + "\n").utf8, to: identity.path)
    }
  }

  /// Locks a run's folder before anything in it is touched, and starts the run. If the start fails, a folder that did
  /// not exist before is removed again.
  ///
  /// - Throws: `TrainingError` when another learner has the folder; the error of `start`.
  static func leavingNothing<Result>(
    _ configuration: Configuration, _ logger: Logger, _ start: (RunLock) throws -> Result
  ) throws -> Result {
    let url = URL(filePath: configuration.run.folder)
    let files = FileManager.default
    let existed = files.fileExists(atPath: url.path)
    // Before `do`: a folder that another learner has is not removed.
    let lock = try RunLock(url, logger: logger)
    do { return try start(lock) } catch {
      if !existed {
        do { try files.removeItem(at: url) } catch let second {
          logger.error("\(SystemError("could not be removed", path: url.path, cause: second))")
        }
      }
      throw error
    }
  }

  static func replay(_ configuration: Configuration) -> URL {
    URL(filePath: configuration.run.folder).appending(path: "replay")
  }

  private static func identity(_ url: URL) -> URL { url.appending(path: "run-id") }

  /// - Throws: `TrainingError` when the folder holds a run already.
  package static func requireNew(_ configuration: Configuration) throws {
    let url = URL(filePath: configuration.run.folder)
    if FileManager.default.fileExists(atPath: identity(url).path) {
      throw TrainingError(
        "\(url.path): the folder holds a run already; resume it (--resume), or choose another folder "
          + "(--set run.folder=FOLDER)")
    }
  }

  /// Writes the complete configuration into the folder. Throws `SystemError` when it cannot be written.
  package func keep(_ configuration: Configuration) throws {
    try Disk.writeWhole(configuration.encodeYAML().utf8, to: url.appending(path: "config.yaml").path)
  }
}
