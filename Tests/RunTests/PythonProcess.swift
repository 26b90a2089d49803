// A reward server of python/stepwise_rewards in a process of its own.

import Foundation
import Glibc

/// Runs a file under `python/` until it is told to end, or killed.
final class PythonProcess {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The first Python that has what the package needs: the one of the path, or the system's; nil when none has.
  static let interpreter: String? = first(with: "zmq, numpy, google.protobuf")
  /// What to say where there is none.
  static let absence: String =
    "no python3 here has zmq, numpy and google.protobuf (Debian: python3-zmq, python3-numpy, python3-protobuf)"

  /// The first Python that has PyTorch too; nil when none has.
  static let torchInterpreter: String? = first(with: "zmq, numpy, google.protobuf, torch")
  /// What to say where there is none.
  static let torchAbsence: String = "no python3 here has torch beside zmq, numpy and google.protobuf (pip install torch)"

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

  /// - Parameters:
  ///   - file: under `python/`.
  ///   - arguments: its own.
  ///   - interpreter: nil takes `PythonProcess.interpreter`.
  init(_ file: String, _ arguments: [String], interpreter: String? = nil) throws {
    let python = Self.root.appending(path: "python")
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [interpreter ?? Self.interpreter ?? "python3", python.appending(path: file).path] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONPATH": python.path]) { $1 }
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  deinit { kill() }

  /// SIGKILL: it says nothing more.
  func kill() {
    if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  /// SIGTERM, and its exit status.
  func terminate() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
