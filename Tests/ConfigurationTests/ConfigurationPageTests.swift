// docs/configuration.md agrees with the settings in the sources.

import Configuration
import Fixtures
import Foundation
import Testing

@Suite struct ConfigurationPageTests {
  @Test func `docs/configuration.md is what the generator makes`() throws {
    let file = TinyModel.repository.appending(path: "docs/configuration.md")
    let made = try ConfigurationPage(repository: TinyModel.repository).markdown
    if ProcessInfo.processInfo.environment["STEPWISE_WRITE_CONFIGURATION_PAGE"] != nil {
      try made.write(to: file, atomically: true, encoding: .utf8)
    }
    let found = try String(contentsOf: file, encoding: .utf8)
    let difference = zip(made.split(separator: "\n"), found.split(separator: "\n")).first { $0 != $1 }
    #expect(
      made == found,
      """
      docs/configuration.md differs from the settings in Sources/Shared/Settings; run \
      scripts/generate-configuration-docs.sh. The first difference: expected \(difference?.0 ?? "another length"), \
      found \(difference?.1 ?? "")
      """)
  }

  @Test func `the page lists every key and no other`() throws {
    let listed = try ConfigurationPage(repository: TinyModel.repository).markdown.split(separator: "\n")
      .filter { $0.hasPrefix("| `") }.map { String($0.dropFirst(3).prefix { $0 != "`" }) }
    #expect(try listed == Configuration.keys)
  }
}
