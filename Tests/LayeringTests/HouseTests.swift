// Rules for files and folders that a program can check.

import Foundation
import Testing

@Suite struct HouseTests {
  private static func isGenerated(_ file: SourceFile) -> Bool { file.path.contains("CMessages/") }

  @Test func `no file has more than 300 lines and the median source file at most 120`() throws {
    let sources = try SourceFile.all(in: "Sources", endings: ["swift", "c", "h"]).filter { !Self.isGenerated($0) }
    for file in try sources + SourceFile.all(in: "Tests") {
      // The last element is empty: it follows the last newline.
      #expect(file.lines.count <= 301, "\(file.path) has \(file.lines.count - 1) lines")
    }
    let counts = sources.map(\.lines.count).sorted()
    #expect(counts[counts.count / 2] <= 121)
  }

  @Test func `no folder has more than 15 sources`() throws {
    let files = try SourceFile.all(in: "Sources", endings: ["swift", "c", "h"]) + SourceFile.all(in: "Tests")
    for (folder, members) in Dictionary(grouping: files, by: \.folder) {
      #expect(members.count <= 15, "\(folder) has \(members.count) sources")
    }
  }

  /// Two files of a folder depend on each other when each mentions a type or function that the other declares.
  @Test func `files of a folder form no cycle`() throws {
    for (folder, files) in Dictionary(grouping: try SourceFile.all(in: "Sources"), by: \.folder) {
      var home: [String: String] = [:]
      for file in files { for name in file.declarations { home[name] = file.path } }
      var open = Dictionary(
        uniqueKeysWithValues: files.map { file in
          (file.path, Set(file.words.compactMap { home[$0] }).subtracting([file.path]))
        })
      // Files without dependencies inside the folder are removed until none is left to remove.
      while let (free, _) = open.first(where: { $0.value.isEmpty }) {
        open[free] = nil
        for path in open.keys { open[path]?.remove(free) }
      }
      #expect(open.isEmpty, "\(folder): a cycle through some of \(open.keys.sorted())")
    }
  }

  @Test func `no file is a collection of leftovers`() throws {
    for file in try SourceFile.all(in: "Sources") {
      let name = URL(filePath: file.path).lastPathComponent.lowercased()
      #expect(!["util", "helper", "common", "misc"].contains { name.contains($0) }, "\(file.path)")
    }
  }

  @Test func `nothing is forced and nothing is left for later`() throws {
    let refused = ["try!", " as! ", "TODO", "FIXME", "not implemented"]
    for file in try SourceFile.all(in: "Sources") {
      for (number, line) in file.lines.enumerated() {
        for word in refused where line.contains(word) {
          Issue.record("\(file.path):\(number + 1): \(word) in \(line)")
        }
        let isUnchecked = line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)")
        #expect(!isUnchecked || line.contains("//"), "\(file.path):\(number + 1): give the reason on the same line")
      }
    }
  }

  @Test func `every file opens with a comment that says what it guarantees`() throws {
    for file in try SourceFile.all(in: "Sources", endings: ["swift", "c"]) where !Self.isGenerated(file) {
      #expect(file.lines.first?.hasPrefix("//") == true || file.lines.first?.hasPrefix("/*") == true, "\(file.path)")
    }
  }
}
