// The floors of the package: what a target imports is what Package.swift declares and what docs/architecture.md shows.

import Testing

@Suite struct LayeringTests {
  /// Modules of the toolchain, which every target may import.
  private static let toolchain: Set<String> = ["Foundation", "Glibc", "Synchronization", "Dispatch", "Swift", "Testing"]

  @Test func `every import is declared and every declared dependency is imported`() throws {
    for target in try DeclaredTarget.all() where !target.isC {
      // A program's folder may lie inside its library's folder.
      let files = try SourceFile.all(in: target.path).filter {
        !$0.path.contains("/Program/") || target.path.hasSuffix("/Program")
      }
      #expect(!files.isEmpty, "\(target.name): \(target.path) holds no source")
      let imported = files.reduce(into: Set()) { $0.formUnion($1.imports) }.subtracting(Self.toolchain)
      let declared = Set(target.dependencies.map { $0.replacing("-", with: "_") })
      let undeclared = imported.subtracting(declared).sorted(), unused = declared.subtracting(imported).sorted()
      #expect(undeclared.isEmpty, "Package.swift: \(target.name) imports \(undeclared) without declaring them")
      #expect(unused.isEmpty, "Package.swift: \(target.name) declares \(unused) and does not import them")
    }
  }

  @Test func `the table in the documentation equals the manifest`() throws {
    let documented = try documentedTargets()
    let declared = try DeclaredTarget.all().filter { !$0.isTest && $0.name != "Fixtures" }
    #expect(Set(documented.keys) == Set(declared.map(\.name)), "docs/architecture.md")
    for target in declared where documented[target.name] != nil {
      #expect(documented[target.name] == target.dependencies, "docs/architecture.md: the row of \(target.name)")
    }
  }

  /// What a target must not reach, directly or through others.
  private static let walls: [String: Set<String>] = [
    "Training": ["Transport", "Replay", "CZeroMQ", "CHDF5"],
    "Actor": ["Algorithms", "Replay", "Training"],
    "RewardServer": ["Algorithms", "Replay", "Training", "Diffusion"],
    "Learner": ["Rewards"],
    "Diffusion": ["Models", "Layers"],
  ]

  @Test func `walls between targets hold`() throws {
    let targets = try DeclaredTarget.all()
    let dependencies = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0.dependencies) })
    for (name, forbidden) in Self.walls {
      var reached: Set<String> = [], next = try #require(dependencies[name], "\(name) is not a target")
      while !next.isEmpty {
        reached.formUnion(next)
        next = Set(next.flatMap { dependencies[$0] ?? [] }).subtracting(reached)
      }
      #expect(reached.isDisjoint(with: forbidden), "\(name) reaches \(reached.intersection(forbidden).sorted())")
    }
  }
}
