// What all sections of the configuration have in common. A section declares its settings, their defaults and the ranges
// of their values in one place; docs/configuration.md is generated from these files
// (scripts/generate-configuration-docs.sh).

/// One section of the configuration.
package protocol SettingsSection: Codable, Sendable, Equatable {
  /// All settings with their defaults.
  init()
  /// Keys whose values are paths, relative to the configuration file.
  static var paths: [String] { get }
  /// Checks the ranges of single values; what depends on the method stands in `MethodSettings`.
  func check(_ problems: inout SettingProblems)
}

extension SettingsSection {
  package static var paths: [String] { [] }

  /// The defaults with some changes, for code that has no configuration file.
  package init(_ change: (inout Self) -> Void) {
    self.init()
    change(&self)
  }
}

/// What is wrong with settings, one line per problem.
package struct SettingProblems: Sendable {
  package private(set) var lines: [String] = []

  package init() {}

  /// - Parameters:
  ///   - key: such as `training.epochs`.
  ///   - expected: completes "expected ...".
  package mutating func require(_ condition: Bool, _ key: String, _ expected: String, _ found: some Any) {
    if !condition { lines.append("\(key): expected \(expected), found \(found).") }
  }

  package mutating func positive(_ value: Int, _ key: String) {
    require(value > 0, key, "a whole number above 0", value)
  }

  package mutating func positive(_ value: some BinaryFloatingPoint, _ key: String) {
    require(value > 0 && value.isFinite, key, "a number above 0", value)
  }

  package mutating func notNegative(_ value: Int, _ key: String) { require(value >= 0, key, "0 or more", value) }

  package mutating func notNegative(_ value: some BinaryFloatingPoint, _ key: String) {
    require(value >= 0 && value.isFinite, key, "0 or more", value)
  }

  /// - Parameter range: its bounds are allowed.
  package mutating func within<Value: Comparable>(_ range: ClosedRange<Value>, _ value: Value, _ key: String) {
    require(range.contains(value), key, "\(range.lowerBound) to \(range.upperBound)", value)
  }
}
