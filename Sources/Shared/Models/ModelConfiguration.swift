// A model's config.json, read strictly: an unsupported value that would change the numbers is refused by name, and so
// is an unknown key.

package import Foundation

package struct ModelConfigurationError: Error, CustomStringConvertible {
  package let description: String
}

package enum JSONValue: Codable, Equatable, Sendable, CustomStringConvertible {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  package init(from decoder: any Decoder) throws {
    let box = try decoder.singleValueContainer()
    if box.decodeNil() {
      self = .null
    } else if let value = try? box.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? box.decode(Double.self) {
      self = .number(value)
    } else if let value = try? box.decode(String.self) {
      self = .string(value)
    } else if let value = try? box.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try box.decode([String: JSONValue].self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var box = encoder.singleValueContainer()
    switch self {
    case .null: try box.encodeNil()
    case .bool(let value): try box.encode(value)
    case .number(let value):
      if let integer = Int(exactly: value) { try box.encode(integer) } else { try box.encode(value) }
    case .string(let value): try box.encode(value)
    case .array(let value): try box.encode(value)
    case .object(let value): try box.encode(value)
    }
  }

  fileprivate var integer: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }
  fileprivate var string: String? { if case .string(let value) = self { value } else { nil } }

  package var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): String(value)
    case .number(let value): Int(exactly: value).map(String.init) ?? String(value)
    case .string(let value): "\"\(value)\""
    case .array(let value): "[" + value.map(\.description).joined(separator: ", ") + "]"
    case .object(let value): "{" + value.map { "\($0): \($1)" }.sorted().joined(separator: ", ") + "}"
    }
  }
}

package struct ModelConfiguration: Sendable {
  /// The file that it was read from, for messages.
  package let path: String
  package private(set) var values: [String: JSONValue]

  package init(path: String, values: [String: JSONValue]) {
    self.path = path
    self.values = values
  }

  package init(file: URL) throws {
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch {
      throw ModelConfigurationError(
        description: "\(file.path): could not read this model configuration. A model is a folder in diffusers' "
          + "format: model_index.json with unet/, vae/, text_encoder/, tokenizer/ and scheduler/.")
    }
    do {
      values = try JSONDecoder().decode([String: JSONValue].self, from: data)
    } catch {
      throw ModelConfigurationError(description: "\(file.path): not a JSON object")
    }
    path = file.path
  }

  func wrong(_ key: String, expected: String) -> ModelConfigurationError {
    ModelConfigurationError(
      description: "\(path): \(key): expected \(expected), found \(values[key]?.description ?? "nothing")")
  }

  package func integer(_ key: String, _ fallback: Int? = nil) throws -> Int {
    try value(key, fallback, "an integer") { $0.integer }
  }

  package func number(_ key: String, _ fallback: Double? = nil) throws -> Double {
    try value(key, fallback, "a number") { if case .number(let value) = $0 { value } else { nil } }
  }

  package func flag(_ key: String, _ fallback: Bool) throws -> Bool {
    try value(key, fallback, "true or false") { if case .bool(let value) = $0 { value } else { nil } }
  }

  package func string(_ key: String, _ fallback: String? = nil) throws -> String {
    try value(key, fallback, "a string") { $0.string }
  }

  /// The value of a key as `read` takes it; `fallback` where the key is absent or null.
  private func value<Value>(
    _ key: String, _ fallback: Value?, _ expected: String, _ read: (JSONValue) -> Value?
  ) throws -> Value {
    let found = values[key] ?? .null
    guard let value = found == .null ? fallback : read(found) else { throw wrong(key, expected: expected) }
    return value
  }

  package func strings(_ key: String) throws -> [String] {
    guard case .array(let items)? = values[key] else { throw wrong(key, expected: "a list of strings") }
    return try items.map {
      guard let value = $0.string else { throw wrong(key, expected: "a list of strings") }
      return value
    }
  }

  /// A list of integers, or one integer that counts for all `count` elements.
  package func integers(_ key: String, count: Int? = nil, _ fallback: Int? = nil) throws -> [Int] {
    if case .array(let items)? = values[key] {
      let found = items.compactMap(\.integer)
      guard found.count == items.count else { throw wrong(key, expected: "integers") }
      guard count == nil || found.count == count else { throw wrong(key, expected: "\(count!) integers") }
      return found
    }
    guard let count else { throw wrong(key, expected: "a list of integers") }
    return Array(repeating: try integer(key, fallback), count: count)
  }

  /// Refuses values of a key that are not supported; an absent key and null are accepted.
  package func require(_ key: String, oneOf supported: JSONValue...) throws {
    let value = values[key] ?? .null
    guard value == .null || supported.contains(value) else {
      throw ModelConfigurationError(
        description: "\(path): \(key) is \(value), which Stepwise does not support; supported values: "
          + supported.map(\.description).joined(separator: ", "))
    }
  }

  /// Refuses unknown keys that are not null: they might change the numbers.
  package func refuseUnknown(besides known: Set<String>) throws {
    for (key, value) in values where !key.hasPrefix("_") && !known.contains(key) && value != .null {
      throw ModelConfigurationError(
        description: "\(path): \(key) is \(value), but this setting is unknown and may change the numbers")
    }
  }
}
