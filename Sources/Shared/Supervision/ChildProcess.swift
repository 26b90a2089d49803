// One program of a run as a child of this one: its output goes to a log file, its end is an event.

package import Foundation
package import Roles
internal import Threads

/// What to start.
package struct ChildDescription: Sendable {
  /// As "actor-0"; names the log file too.
  package let name: String
  package let role: Role
  package let program: URL
  package let arguments: [String]

  package init(name: String, role: Role, program: URL, arguments: [String]) {
    (self.name, self.role, self.program, self.arguments) = (name, role, program, arguments)
  }
}

/// How a child ended.
package struct ChildEnd: Sendable {
  package let name: String
  /// Which start of this child it was, from 0.
  package let start: Int
  package let status: Int32
  package let wasSignalled: Bool

  package var text: String { wasSignalled ? "killed by signal \(status)" : "exit status \(status)" }
}

/// A running child. Make it on the main thread: the system takes the end of the thread for that of the process.
package final class ChildProcess {
  package let description: ChildDescription
  package let log: URL
  let began = Date()
  private let process = Process()

  /// Starts the program; `ended` is called once, on another thread.
  ///
  /// - Throws: `CommandError` when the program or its log cannot be opened.
  package init(
    _ description: ChildDescription, start: Int, logs: URL, ended: @escaping @Sendable (ChildEnd) -> Void
  ) throws {
    self.description = description
    log = logs.appending(path: "\(description.name).log")
    if !FileManager.default.fileExists(atPath: log.path) {
      guard FileManager.default.createFile(atPath: log.path, contents: nil) else {
        throw CommandError("\(log.path): expected a log file that can be made; is the disk full, or the folder gone?")
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
        "\(description.program.path): cannot be started: \(error.localizedDescription) "
          + "Build all programs with `swift build -c release`.")
    }
  }

  package var identifier: Int32 { process.processIdentifier }

  package var isRunning: Bool { process.isRunning }

  package func waitUntilExit() { process.waitUntilExit() }

  package func send(_ signal: Int32) { if process.isRunning { kill(process.processIdentifier, signal) } }

  /// What a program said last: from its last error on, or else its last lines.
  package static func lastWords(in log: URL) -> String {
    guard let handle = try? FileHandle(forReadingFrom: log), let end = try? handle.seekToEnd() else { return "" }
    let start = end > 8192 ? end - 8192 : 0
    guard (try? handle.seek(toOffset: start)) != nil, let data = try? handle.readToEnd() else { return "" }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    let last = lines.lastIndex { $0.contains("Error:") || $0.contains("Fatal error") } ?? max(0, lines.count - 5)
    return lines[last...].prefix(12).joined(separator: "\n")
  }
}
