// A golden case: what another implementation computed, and the files it used. Cases are found by listing folders, so a
// new one is a folder dropped in.

import Engine
import Foundation
import Layers
import Models

/// One folder of golden data: `case.json` and, mostly, `tensors.safetensors`.
struct GoldenCase: Sendable, CustomStringConvertible {
  /// The case's folder.
  let folder: URL
  /// `case.json`.
  let values: ModelConfiguration
  let kind: String

  init(folder: URL) throws {
    self.folder = folder
    values = try ModelConfiguration(file: folder.appending(path: "case.json"))
    kind = try values.string("kind")
  }

  var description: String { folder.lastPathComponent }

  /// Tests/Golden, from this file's place.
  static let embedded = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Golden")

  /// Tests/Golden and, when it is set, the folder that GOLDEN_DIR names.
  static var roots: [URL] {
    [embedded] + (ProcessInfo.processInfo.environment["GOLDEN_DIR"].map { [URL(filePath: $0)] } ?? [])
  }

  /// The cases of every root, by name within a root.
  static func all() throws -> [GoldenCase] {
    try roots.flatMap { root in
      try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
        .filter { FileManager.default.fileExists(atPath: $0.appending(path: "case.json").path) }
        .sorted { $0.lastPathComponent < $1.lastPathComponent }
        .map { try GoldenCase(folder: $0) }
    }
  }

  /// The case's tensors: inputs under `in.*`, expected results under `out.*`.
  func tensors() throws -> SafetensorsFile { try SafetensorsFile(folder.appending(path: "tensors.safetensors")) }

  /// A file that `case.json` names: relative to the case's folder, to its root, or to Tests/Golden.
  func file(_ key: String) throws -> URL {
    let path = try values.string(key)
    let candidates = [folder, folder.deletingLastPathComponent(), Self.embedded].map {
      $0.appending(path: path).standardizedFileURL
    }
    guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw GoldenProblem("\(folder.path): \(key) names \(path), which is not there")
    }
    return found
  }

  /// A folder within the model that `case.json` names, or the model itself when it has no such part.
  func model(_ part: String) throws -> URL {
    let model = try file("model")
    let inner = model.appending(path: part)
    return FileManager.default.fileExists(atPath: inner.path) ? inner : model
  }
}

/// A case that cannot be run, in words.
struct GoldenProblem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
