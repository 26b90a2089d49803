// Package.swift and the table of docs/architecture.md, as data. The manifest declares one target per call, name first,
// dependencies second, so that a few regular expressions read it.

import Foundation
import Testing

/// The root of the package.
let root = URL(filePath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A target as Package.swift declares it.
struct DeclaredTarget {
  let name: String
  /// Modules, of this package and of others.
  let dependencies: Set<String>
  /// Folder of the sources, relative to the package.
  let path: String
  let isTest: Bool
  /// Whether the sources are C: their includes are not checked.
  let isC: Bool

  /// Reads the targets of Package.swift.
  static func all() throws -> [DeclaredTarget] {
    let text = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
    let call = /(?m)^ +(system|clang|shared|library|program|tests)\(\s*"([^"]+)"(?:,\s*\[([^\]]*)\])?(?:,\s*path: "([^"]+)")?/
    return text.matches(of: call).map { match in
      let kind = match.1, name = String(match.2)
      let words = (match.3 ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
      let path =
        match.4.map(String.init) ?? (kind == "tests" ? "Tests/\(name)" : "Sources/Shared/\(name)")
      return DeclaredTarget(
        name: name, dependencies: Set(words.filter { !$0.isEmpty }.map { products[$0] ?? $0.filter { $0 != "\"" } }),
        path: path, isTest: kind == "tests", isC: kind == "system" || kind == "clang")
    }
  }

  /// Names that Package.swift gives to the products of other packages, and the modules that they bring.
  private static let products = ["arguments": "ArgumentParser", "logging": "Logging", "yaml": "Yams"]

  /// The module that an import names; a program's module has underscores.
  var module: String { name.replacing("-", with: "_") }
}

/// The rows of the table in docs/architecture.md: a target's name and its dependencies.
func documentedTargets() throws -> [String: Set<String>] {
  let page = try String(contentsOf: root.appending(path: "docs/architecture.md"), encoding: .utf8)
  let text = try #require(page.firstMatch(of: /<!-- targets -->[\s\S]*<!-- end of targets -->/)).0
  var rows: [String: Set<String>] = [:]
  for match in text.matches(of: /(?m)^\| `([\w-]+)` \| ([^|]*) \|/) {
    #expect(rows[String(match.1)] == nil, "docs/architecture.md lists \(match.1) twice")
    rows[String(match.1)] = Set(match.2.matches(of: /`([\w-]+)`/).map { String($0.1) })
  }
  return rows
}
