// The house keeps its floors: every import in Sources is one that docs/architecture.md allows, and what is refused in
// review is refused here where a program can see it.

import Foundation
import Testing

/// What each folder of Sources may import of this package and of other packages.
private let table: [String: Set<String>] = [
  // Floors 1 to 5: numbers.
  "Shared/Engine": ["CKernels", "COpenBLAS"],
  "Shared/Layers": ["Engine"],
  "Shared/Imaging": ["CImaging", "Engine"],
  "Shared/Models": ["Layers", "Engine"],
  "Shared/Diffusion": ["Models", "Layers", "Engine"],
  "Shared/Algorithms": ["Diffusion", "Layers", "Engine"],
  "Shared/Rewards": ["Models", "Layers", "Engine", "Imaging"],
  "Shared/Pretraining": ["Diffusion", "Models", "Layers", "Engine", "Imaging"],
  // To the side: bytes.
  "Shared/Messages": ["Engine", "CMessages"],
  "Shared/Transport": ["CZeroMQ", "Logging"],
  "Shared/Replay": ["Messages", "Engine", "CHDF5", "CChecksum"],
  "Shared/Telemetry": ["Engine", "Imaging"],
  "Shared/Configuration": ["Yams"],
  "Shared/Scoring": ["Messages", "Transport", "Engine", "Configuration"],
  // On top: roles. The actor and the reward server know no algorithm and no replay, the learner no reward.
  "Actor": [
    "Configuration", "Diffusion", "Models", "Layers", "Engine", "Messages", "Transport", "Scoring", "Telemetry",
    "Logging",
  ],
  "RewardServer": [
    "Configuration", "Rewards", "Models", "Layers", "Engine", "Imaging", "Messages", "Transport", "Logging",
  ],
  "Learner": [
    "Configuration", "Algorithms", "Diffusion", "Models", "Layers", "Engine", "Messages", "Transport", "Scoring",
    "Replay", "Telemetry", "Imaging", "Logging",
  ],
  "Actor/Program": ["Actor", "Configuration", "Engine", "ArgumentParser"],
  "RewardServer/Program": ["RewardServer", "Configuration", "Engine", "ArgumentParser"],
  "Learner/Program": ["Learner", "Configuration", "Engine", "ArgumentParser"],
  "Stepwise": [
    "Actor", "RewardServer", "Learner", "Configuration", "Pretraining", "Rewards", "Diffusion", "Models",
    "Layers", "Engine", "Imaging", "Messages", "Transport", "Scoring", "Replay", "Telemetry", "ArgumentParser",
    "Logging",
  ],
]

/// What the toolchain brings; every target may use it.
private let toolchain: Set<String> = ["Foundation", "Glibc", "Synchronization", "Dispatch", "Swift"]

private struct Source {
  /// From Sources on.
  let path: String
  let lines: [Substring]

  var room: String {
    let parts = path.split(separator: "/").dropLast()
    if parts.first == "Shared" { return parts.prefix(2).joined(separator: "/") }
    return parts.count > 1 && parts[1] == "Program" ? "\(parts[0])/Program" : String(parts[0])
  }

  /// Module names of the import lines, with their line numbers.
  var imports: [(module: String, line: Int)] {
    lines.enumerated().compactMap { number, line in
      var words = line.split(separator: " ")
      while let word = words.first, word.hasPrefix("@") || accessLevels.contains(String(word)) { words.removeFirst() }
      guard words.count >= 2, words[0] == "import" else { return nil }
      words.removeFirst()
      if ["struct", "class", "enum", "func", "var", "let", "protocol", "typealias"].contains(words[0]) {
        words.removeFirst()
      }
      return words.first.map { (String($0.split(separator: ".")[0]), number + 1) }
    }
  }
}

private let accessLevels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]

private let root = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

private func sources(in folder: String = "Sources", endings: Set<String> = ["swift"]) throws -> [Source] {
  let base = root.appendingPathComponent(folder)
  let names = try #require(FileManager.default.enumerator(atPath: base.path)).compactMap { $0 as? String }
  return try names.sorted().filter { endings.contains(URL(fileURLWithPath: $0).pathExtension) }.map { name in
    let text = try String(contentsOf: base.appendingPathComponent(name), encoding: .utf8)
    return Source(path: name, lines: text.split(separator: "\n", omittingEmptySubsequences: false))
  }
}

@Suite struct LayeringTests {
  @Test func `every import goes down`() throws {
    for source in try sources() {
      let allowed = try #require(table[source.room], "Sources/\(source.path): its folder is not in the table")
      for (module, line) in source.imports where !toolchain.contains(module) {
        #expect(allowed.contains(module), "Sources/\(source.path):\(line): \(source.room) may not import \(module)")
      }
    }
  }

  @Test func `the table has no way round`() {
    // A room's imports, followed down to the end, never come back to it.
    let rooms = Dictionary(uniqueKeysWithValues: table.map { ($0.key.split(separator: "/").last.map(String.init)!, $0.value) }
      .filter { $0.0 != "Program" })
    for room in rooms.keys {
      var reached: Set<String> = [], next = rooms[room] ?? []
      while !next.isEmpty {
        reached.formUnion(next)
        next = Set(next.flatMap { rooms[$0] ?? [] }).subtracting(reached)
      }
      #expect(!reached.contains(room), "\(room) reaches itself")
    }
  }

  @Test func `no file is longer than 400 lines`() throws {
    for source in try sources(endings: ["swift", "c", "h"]) + sources(in: "Tests") {
      // Generated by protoc-c, never edited.
      if source.path.contains("CMessages/") { continue }
      #expect(source.lines.count <= 401, "\(source.path) has \(source.lines.count) lines")
    }
  }

  @Test func `no file is called for what is in no other`() throws {
    for source in try sources() {
      let name = URL(fileURLWithPath: source.path).lastPathComponent.lowercased()
      #expect(!["util", "helper", "common", "misc"].contains { name.contains($0) }, "Sources/\(source.path)")
    }
  }

  @Test func `nothing is forced and nothing is left for later`() throws {
    let refused = ["try!", " as! ", "TODO", "FIXME", "not implemented"]
    for source in try sources() {
      for (number, line) in source.lines.enumerated() {
        for word in refused where line.contains(word) {
          Issue.record("Sources/\(source.path):\(number + 1): \(word) in \(line)")
        }
        let isUnchecked = line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)")
        #expect(
          !isUnchecked || line.contains("//"),
          "Sources/\(source.path):\(number + 1): the reason must stand on the same line")
      }
    }
  }

  @Test func `every file opens with what it guarantees`() throws {
    for source in try sources(endings: ["swift", "c"]) where !source.path.contains("CMessages/") {
      let first = source.lines.first { !$0.hasPrefix("#!") && !$0.hasPrefix("// swift-tools-version") }
      #expect(first?.hasPrefix("//") == true || first?.hasPrefix("/*") == true, "Sources/\(source.path)")
    }
  }
}
