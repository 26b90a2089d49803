// The built programs, run as their user runs them.

import Fixtures
import Foundation

struct Program {
  struct Result {
    let status: Int32
    let output, errors: String
  }

  let url: URL

  static let folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  static let stepwise = Program(url: folder.appending(path: "stepwise"))
  static let bench = Program(url: folder.appending(path: "stepwise-bench"))
  static let torture = Program(url: folder.appending(path: "stepwise-torture"))

  func start(_ arguments: [String], in folder: URL) throws -> (process: Process, output: Pipe, errors: Pipe) {
    let process = Process(), output = Pipe(), errors = Pipe()
    process.executableURL = url
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return (process, output, errors)
  }

  /// Runs to the end. The output is small, so the pipes can be read one after the other.
  func run(_ arguments: [String], in folder: URL) throws -> Result {
    let (process, output, errors) = try start(arguments, in: folder)
    return Self.end(of: process, output, errors)
  }

  static func end(of process: Process, _ output: Pipe, _ errors: Pipe) -> Result {
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complained = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Result(status: process.terminationStatus, output: said, errors: complained)
  }
}

func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

let repository = TinyModel.repository

extension FileManager {
  func names(in folder: URL) -> [String] { ((try? contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }
}
