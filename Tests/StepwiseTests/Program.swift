// The built programs, run as their user runs them.

import Fixtures
import Foundation
import Testing

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

  /// Runs to the end, and expects the status 0.
  @discardableResult
  func succeed(
    _ arguments: [String], in folder: URL, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Result {
    let result = try run(arguments, in: folder)
    #expect(result.status == 0, "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    return result
  }

  /// Runs to the end, and expects another status and `text` in the errors.
  @discardableResult
  func fail(
    _ arguments: [String], in folder: URL, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Result {
    let result = try run(arguments, in: folder)
    let isExplained = result.status != 0 && result.errors.contains(text)
    #expect(isExplained, "\(arguments): \(result)", sourceLocation: sourceLocation)
    return result
  }

  static func end(of process: Process, _ output: Pipe, _ errors: Pipe) -> Result {
    func text(_ pipe: Pipe) -> String {
      String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    let (output, errors) = (text(output), text(errors))
    process.waitUntilExit()
    return Result(status: process.terminationStatus, output: output, errors: errors)
  }
}

let repository = TinyModel.repository

extension FileManager {
  func names(in folder: URL) -> [String] { ((try? contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }
}
