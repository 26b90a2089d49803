// A reward server of python/stepwise_rewards in its own process.

import Foundation
import Glibc

/// Runs a file of the folder `python` until it is terminated or killed.
final class PythonProcess {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The first Python interpreter that has the requirements of the package; nil if there is none.
  static let interpreter: String? = first(with: "zmq, numpy, google.protobuf")
  static let absence: String =
    "no python3 here has zmq, numpy and google.protobuf (Debian: python3-zmq, python3-numpy, python3-protobuf)"

  /// The first Python interpreter that also has PyTorch; nil if there is none.
  static let torchInterpreter: String? = first(with: "zmq, numpy, google.protobuf, torch")
  static let torchAbsence: String =
    "no python3 here has torch in addition to zmq, numpy and google.protobuf (pip install torch)"

  private static func first(with modules: String) -> String? {
    ["python3", "/usr/bin/python3"].first { python in
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = [python, "-c", "import \(modules)"]
      process.standardError = FileHandle.nullDevice
      do { try process.run() } catch { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }
  }

  private let process = Process()
  private let errors = Pipe()

  /// - Parameters:
  ///   - file: Path in the folder `python`.
  ///   - arguments: Arguments of the file.
  ///   - interpreter: nil: `PythonProcess.interpreter`.
  init(_ file: String, _ arguments: [String], interpreter: String? = nil) throws {
    let python = Self.root.appending(path: "python")
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [interpreter ?? Self.interpreter ?? "python3", python.appending(path: file).path] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONPATH": python.path]) { $1 }
    process.standardError = errors
    try process.run()
  }

  deinit { kill() }

  func kill() {
    if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  /// Waits until the process has ended by itself, and returns the text of its standard error.
  func failure() -> String {
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text
  }

  /// Ends the process with SIGTERM, and returns its exit status.
  func terminate() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
