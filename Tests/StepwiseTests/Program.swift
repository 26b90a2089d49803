// The built program, run as its user runs it, and a small model for it.

import Foundation

/// `stepwise`, or another program beside the tests.
struct Program {
  struct Result {
    let status: Int32
    let output, errors: String
  }

  let url: URL

  static let built = Program(
    url: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "stepwise"))

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

  /// Runs to the end. What is printed stays small, so the pipes may be read one after the other.
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

let repository = URL(filePath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// Golden's SD 2 model of random weights (4 latent channels, 8 x 8 latents, 12 positions) with a tokenizer of letters.
func makeModel(in folder: URL) throws -> URL {
  let model = folder.appending(path: "model")
  try FileManager.default.copyItem(at: repository.appending(path: "Tests/Golden/models/sd2"), to: model)
  let tokenizer = model.appending(path: "tokenizer")
  try FileManager.default.createDirectory(at: tokenizer, withIntermediateDirectories: true)
  let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
  let tokens = letters + letters.map { $0 + "</w>" } + ["<|startoftext|>", "<|endoftext|>"]
  let vocabulary = Dictionary(uniqueKeysWithValues: zip(tokens, tokens.indices))
  try JSONEncoder().encode(vocabulary).write(to: tokenizer.appending(path: "vocab.json"))
  try Data("#version: 0.2\n".utf8).write(to: tokenizer.appending(path: "merges.txt"))
  try Data("{\"model_max_length\": 12}".utf8).write(to: tokenizer.appending(path: "tokenizer_config.json"))
  return model
}

extension FileManager {
  func names(in folder: URL) -> [String] { ((try? contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }
}
