// Generates docs/configuration.md from the source text of the settings: the doc comment and the default of each
// property, and the cases of each enum. The parser supports only the layout of these files.

import Foundation

struct ConfigurationPage {
  private struct Setting {
    let name: String
    let text: String
    let value: String
  }

  private struct Section {
    var text = ""
    var settings: [Setting] = []
  }

  private struct Case {
    let name: String
    let value: String
    let text: String
  }

  private var sections: [String: Section] = [:]
  private var cases: [String: [Case]] = [:]
  /// Section names and their types, in the order of `Configuration`.
  private var order: [(name: String, type: String)] = []

  init(repository: URL) throws {
    let shared = repository.appending(path: "Sources/Shared")
    let settings = shared.appending(path: "Settings")
    for file in try FileManager.default.contentsOfDirectory(atPath: settings.path).sorted() {
      parse(try String(contentsOf: settings.appending(path: file), encoding: .utf8))
    }
    let whole = try String(contentsOf: shared.appending(path: "Configuration/Configuration.swift"), encoding: .utf8)
    for line in whole.split(separator: "\n") {
      if let found = line.wholeMatch(of: /\ \ package var (\w+) = (\w+)\(\)/) {
        order.append((String(found.1), String(found.2)))
      }
    }
  }

  private mutating func parse(_ source: String) {
    var text: [Substring] = [], type = ""
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
      if let found = line.wholeMatch(of: /\s*\/\/\/ (.*)/) {
        text.append(found.1)
        continue
      }
      let comment = text.joined(separator: " ")
      text = []
      if let found = line.wholeMatch(of: /package struct (\w+): SettingsSection \{/) {
        type = String(found.1)
        sections[type] = Section(text: comment)
      } else if let found = line.wholeMatch(of: /package enum (\w+): String, SettingChoice \{/) {
        type = String(found.1)
        cases[type] = []
      } else if let found = line.wholeMatch(of: /\ \ package var (\w+)(?:: [^=]+)? = (.+)/) {
        sections[type]?.settings.append(
          Setting(name: String(found.1), text: comment, value: String(found.2)))
      } else if let found = line.wholeMatch(of: /\ \ case (\w+) = "(.+)"/) {
        cases[type]?.append(Case(name: String(found.1), value: String(found.2), text: comment))
      } else if let found = line.wholeMatch(of: /\ \ case ([\w, ]+)/) {
        for name in found.1.split(separator: ", ") {
          cases[type]?.append(Case(name: String(name), value: String(name), text: comment))
        }
      }
    }
  }

  var markdown: String {
    Self.head + order.map { name, type in
      let section = sections[type] ?? Section()
      let rows = section.settings.map { setting in
        "| `\(name).\(setting.name)` | \(shown(setting.value)) | \(setting.text)\(allowed(setting.value)) |\n"
      }
      return "\n## `\(name)`\n\n\(section.text)\n\n| key | default | meaning |\n|---|---|---|\n" + rows.joined()
    }.joined()
  }

  /// A default as YAML writes it.
  private func shown(_ value: String) -> String {
    if let choice = choice(value) { return "`\(choice.chosen)`" }
    switch value {
    case "\"\"": return "empty"
    case "[]", "[:]": return "none"
    default: break
    }
    var text = value.replacing("\"", with: "")
    if value.hasPrefix("["), value.contains("\":") { text = "{\(text.dropFirst().dropLast())}" }
    if let found = text.wholeMatch(of: /([\d_]+)(\.0)?/) { text = String(found.1).replacing("_", with: "") }
    return "`\(text)`"
  }

  /// The values of an enum, with their doc comments.
  private func allowed(_ value: String) -> String {
    guard let choice = choice(value) else { return "" }
    return " One of " + choice.cases.map { "`\($0.value)`" + ($0.text.isEmpty ? "" : " (\($0.text))") }
      .joined(separator: ", ") + "."
  }

  /// The enum of a default such as `MethodName.sdpo`.
  private func choice(_ value: String) -> (chosen: String, cases: [Case])? {
    let parts = value.split(separator: ".").map(String.init)
    guard parts.count == 2, let cases = cases[parts[0]], let chosen = cases.first(where: { $0.name == parts[1] }) else {
      return nil
    }
    return (chosen.value, cases)
  }

  private static let head = """
    # Configuration

    <!-- Generated from Sources/Shared/Settings by scripts/generate-configuration-docs.sh. Do not edit. -->

    One YAML file configures all roles of a run: `stepwise-learner`, `stepwise-actor`, `stepwise-reward-server` and
    `stepwise` read the same file. A key that is not in the file has the default below. An unknown key is an error that
    names the nearest known key. `configs/` holds presets.

    - `--set SECTION.KEY=VALUE` overrides one key, for example `--set training.epochs=3` or
      `--set 'reward.weights={jpeg-compressibility: 1}'`. The value is YAML. The option can be repeated.
    - A relative path in the file is relative to the folder of the file. A relative path in `--set`, or in a default, is
      relative to the working directory.
    - The learner writes the complete configuration, with absolute paths, to `config.yaml` in the folder of the run.

    """
}
