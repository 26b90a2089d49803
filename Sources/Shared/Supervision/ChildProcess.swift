// A program of a run as a child process: its output goes to a log file, and its end is an event.

package import Foundation
package import Roles
internal import Threads

package struct ChildDescription: Sendable {
  /// Such as "actor-0"; the log file has this name too.
  package let name: String
  package let role: Role
  package let program: URL
  package let arguments: [String]

  package init(name: String, role: Role, program: URL, arguments: [String]) {
    (self.name, self.role, self.program, self.arguments) = (name, role, program, arguments)
  }
}

package struct ChildEnd: Sendable {
  package let name: String
  /// Number of this start of the child, from 0.
  package let start: Int
  package let status: Int32
  package let wasSignalled: Bool

  package var text: String { wasSignalled ? "killed by signal \(status)" : "exit status \(status)" }
}

/// A running child. Create it on the main thread: children end with the thread that started them.
package final class ChildProcess {
  package let description: ChildDescription
  package let log: URL
  let began = Date()
  private let process = Process()

  /// Starts the program. `ended` is called once, on another thread.
  ///
  /// - Throws: `CommandError` when the program or its log cannot be opened.
  package init(
    _ description: ChildDescription, start: Int, logs: URL, ended: @escaping @Sendable (ChildEnd) -> Void
  ) throws {
    self.description = description
    log = logs.appending(path: "\(description.name).log")
    if !FileManager.default.fileExists(atPath: log.path) {
      guard FileManager.default.createFile(atPath: log.path, contents: nil) else {
        throw CommandError(
          "could not create the log file \(log.path); check that its folder exists and the disk has room")
      }
    }
    let name = description.name
    do {
      let output = try FileHandle(forWritingTo: log)
      try output.seekToEnd()
      process.executableURL = description.program
      process.arguments = description.arguments
      var environment = ProcessInfo.processInfo.environment
      environment[ParentProcess.variable] = "\(ProcessInfo.processInfo.processIdentifier)"
      process.environment = environment
      process.standardOutput = output
      process.standardError = output
      process.standardInput = FileHandle.nullDevice
      process.terminationHandler = { process in
        ended(
          ChildEnd(
            name: name, start: start, status: process.terminationStatus,
            wasSignalled: process.terminationReason == .uncaughtSignal))
      }
      try process.run()
    } catch {
      throw CommandError(
        "could not start \(description.program.path): \(error.localizedDescription) "
          + "Build the programs with `swift build -c release`.")
    }
  }

  package var identifier: Int32 { process.processIdentifier }

  package var isRunning: Bool { process.isRunning }

  package func waitUntilExit() { process.waitUntilExit() }

  package func send(_ signal: Int32) { if process.isRunning { kill(process.processIdentifier, signal) } }

  /// The log from its last error on, or its last lines where it has no error.
  package static func lastLines(of log: URL) -> String {
    guard let handle = try? FileHandle(forReadingFrom: log), let end = try? handle.seekToEnd() else { return "" }
    let start = end > 8192 ? end - 8192 : 0
    guard (try? handle.seek(toOffset: start)) != nil, let data = try? handle.readToEnd() else { return "" }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    let last = lines.lastIndex { $0.contains("Error:") || $0.contains("Fatal error") } ?? max(0, lines.count - 5)
    return lines[last...].prefix(12).joined(separator: "\n")
  }
}
