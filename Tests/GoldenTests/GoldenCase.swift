// A golden case: the results of another implementation, and the files that it used. Cases are found by listing folders,
// so a new case only needs a new folder.

import Engine
import Fixtures
import Foundation
import Layers
import Models

/// One folder of golden data.
struct GoldenCase: Sendable, CustomStringConvertible {
  let folder: URL
  /// `case.json`.
  let values: ModelConfiguration
  let kind: String
  /// `tensors.safetensors`: inputs under `in.*`, expected results under `out.*`.
  let tensors: SafetensorsFile

  init(folder: URL) throws {
    self.folder = folder
    values = try ModelConfiguration(file: folder.appending(path: "case.json"))
    kind = try values.string("kind")
    tensors = try SafetensorsFile(folder.appending(path: "tensors.safetensors"))
  }

  var description: String { folder.lastPathComponent }

  /// Tests/Golden.
  static let embedded = TinyModel.repository.appending(path: "Tests/Golden")

  /// Tests/Golden and, if it is set, the folder in the environment variable GOLDEN_DIR.
  static var roots: [URL] {
    [embedded] + (ProcessInfo.processInfo.environment["GOLDEN_DIR"].map { [URL(filePath: $0)] } ?? [])
  }

  /// The cases of all roots, sorted by name within each root.
  static func all() throws -> [GoldenCase] {
    try roots.flatMap { root in
      try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
        .filter { FileManager.default.fileExists(atPath: $0.appending(path: "case.json").path) }
        .sorted { $0.lastPathComponent < $1.lastPathComponent }
        .map { try GoldenCase(folder: $0) }
    }
  }

  func input(_ name: String) throws -> Tensor { try tensors.tensor("in." + name) }
  func integers(_ name: String) throws -> [Int] { try tensors.integers("in." + name) }
  func shape(of name: String) throws -> [Int] {
    guard let shape = tensors.shape(of: name) else { throw GoldenProblem("\(tensors.path): no tensor \(name)") }
    return shape
  }

  func number(_ key: String, _ fallback: Double? = nil) throws -> Float { Float(try values.number(key, fallback)) }

  /// A file that `case.json` names, relative to the folder of the case, its root, or Tests/Golden.
  func file(_ key: String) throws -> URL {
    let path = try values.string(key)
    let candidates = [folder, folder.deletingLastPathComponent(), Self.embedded].map {
      $0.appending(path: path).standardizedFileURL
    }
    guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw GoldenProblem("\(folder.path): \(key) names \(path), which does not exist")
    }
    return found
  }

  /// A subfolder of the model that `case.json` names, or the model itself if there is no such subfolder.
  func model(_ part: String) throws -> URL {
    let model = try file("model")
    let inner = model.appending(path: part)
    return FileManager.default.fileExists(atPath: inner.path) ? inner : model
  }
}

/// A case cannot be run.
struct GoldenProblem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
