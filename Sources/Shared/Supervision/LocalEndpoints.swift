// Endpoints of a run whose programs are all on one machine: Unix domain sockets in a private folder. Runs that start
// at the same time cannot collide, a program that is started again finds its endpoint, and other users cannot connect.

package import Configuration
internal import Foundation

package final class LocalEndpoints {
  private let folder: String

  /// Creates the folder.
  ///
  /// - Throws: `CommandError` when that fails.
  package init() throws {
    // The path of a socket has at most 107 bytes.
    let temporary = FileManager.default.temporaryDirectory.path
    var path = Array("\(temporary.utf8.count > 70 ? "/tmp" : temporary)/stepwise-XXXXXX".utf8CString)
    guard mkdtemp(&path) != nil else {
      throw CommandError(
        "could not create a folder for the run's sockets in \(temporary): \(String(cString: strerror(errno))); "
          + "set TMPDIR to a folder that can be written")
    }
    folder = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    // A folder that cannot be removed holds sockets only.
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// The defaults of a configuration with these endpoints.
  package var defaults: Configuration {
    var configuration = Configuration()
    configuration.network.learner = endpoint("learner")
    configuration.network.notices = endpoint("notices")
    configuration.network.routers = [endpoint("router")]
    configuration.network.routerBackends = [endpoint("router-backend")]
    return configuration
  }

  private func endpoint(_ name: String) -> String { "ipc://\(folder)/\(name)" }
}
