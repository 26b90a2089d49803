// Settings with a closed set of values. A value outside the set is an error when the configuration is read: the error
// lists the allowed values and the nearest one.

/// One value of a closed set, written in the configuration as its raw value.
package protocol SettingChoice: RawRepresentable, Codable, CaseIterable, Sendable, Equatable, CustomStringConvertible
where RawValue == String {}

extension SettingChoice {
  package var description: String { rawValue }

  /// The allowed values, in the order of their declaration.
  package static var names: [String] { allCases.map(\.rawValue) }

  /// - Throws: `DecodingError.dataCorrupted`, whose description completes "expected ...".
  package init(from decoder: any Decoder) throws {
    let text = try? decoder.singleValueContainer().decode(String.self)
    guard let value = text.flatMap(Self.init(rawValue:)) else {
      let nearest = text.flatMap { nearestName(to: $0, among: Self.names) }.map { " (the nearest is \($0))" } ?? ""
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: decoder.codingPath,
          debugDescription: "one of \(Self.names.joined(separator: ", "))\(nearest)"))
    }
    self = value
  }
}
