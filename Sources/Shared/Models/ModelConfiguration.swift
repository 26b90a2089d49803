// A model's config.json, read strictly: a value that would change the arithmetic and is not supported is refused by
// name, and so is a key this version does not know.

package import Foundation

/// A configuration that cannot be used, and why.
package struct ConfigurationError: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// A JSON value.
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

/// The values of one config.json.
package struct ModelConfiguration: Sendable {
  /// Where it was read from, for messages.
  package let path: String
  package private(set) var values: [String: JSONValue]

  package init(path: String, values: [String: JSONValue]) {
    self.path = path
    self.values = values
  }

  /// Reads a file.
  ///
  /// - Throws: `ConfigurationError` when it is absent or no JSON object.
  package init(file: URL) throws {
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch {
      throw ConfigurationError(
        description: "\(file.path): expected a model's configuration, found no readable file. A model is a folder in "
          + "diffusers' format: model_index.json with unet/, vae/, text_encoder/, tokenizer/ and scheduler/.")
    }
    do {
      values = try JSONDecoder().decode([String: JSONValue].self, from: data)
    } catch {
      throw ConfigurationError(description: "\(file.path): expected a JSON object, found \(data.count) bytes that are none")
    }
    path = file.path
  }

  func wrong(_ key: String, expected: String) -> ConfigurationError {
    ConfigurationError(
      description: "\(path): \(key): expected \(expected), found \(values[key]?.description ?? "nothing")")
  }

  /// A whole number; `fallback` where the key is absent or null.
  package func integer(_ key: String, _ fallback: Int? = nil) throws -> Int {
    switch values[key] {
    case .number(let value)? where Int(exactly: value) != nil: return Int(value)
    case nil, .null?: if let fallback { return fallback }
    default: break
    }
    throw wrong(key, expected: "a whole number")
  }

  /// A number; `fallback` where the key is absent or null.
  package func number(_ key: String, _ fallback: Double? = nil) throws -> Double {
    switch values[key] {
    case .number(let value)?: return value
    case nil, .null?: if let fallback { return fallback }
    default: break
    }
    throw wrong(key, expected: "a number")
  }

  package func flag(_ key: String, _ fallback: Bool) throws -> Bool {
    switch values[key] {
    case .bool(let value)?: return value
    case nil, .null?: return fallback
    default: throw wrong(key, expected: "true or false")
    }
  }

  package func string(_ key: String, _ fallback: String? = nil) throws -> String {
    switch values[key] {
    case .string(let value)?: return value
    case nil, .null?: if let fallback { return fallback }
    default: break
    }
    throw wrong(key, expected: "a string")
  }

  package func strings(_ key: String) throws -> [String] {
    guard case .array(let items)? = values[key] else { throw wrong(key, expected: "a list of strings") }
    return try items.map {
      guard case .string(let value) = $0 else { throw wrong(key, expected: "a list of strings") }
      return value
    }
  }

  /// A list of whole numbers, or one number for all of `count` places.
  package func integers(_ key: String, count: Int? = nil, _ fallback: Int? = nil) throws -> [Int] {
    if case .array(let items)? = values[key] {
      let found = try items.map { item -> Int in
        guard case .number(let value) = item, let whole = Int(exactly: value) else {
          throw wrong(key, expected: "whole numbers")
        }
        return whole
      }
      guard count == nil || found.count == count else { throw wrong(key, expected: "\(count!) whole numbers") }
      return found
    }
    guard let count else { throw wrong(key, expected: "a list of whole numbers") }
    return Array(repeating: try integer(key, fallback), count: count)
  }

  /// Refuses values of a key other than those supported; absent and null count as the first.
  package func require(_ key: String, oneOf supported: JSONValue...) throws {
    let value = values[key] ?? .null
    guard value == .null || supported.contains(value) else {
      throw ConfigurationError(
        description: "\(path): \(key) is \(value); supported here: "
          + supported.map(\.description).joined(separator: ", "))
    }
  }

  /// Refuses keys that are not known, unless they are null: they might change the arithmetic.
  package func refuseUnknown(besides known: Set<String>) throws {
    for (key, value) in values where !key.hasPrefix("_") && !known.contains(key) && value != .null {
      throw ConfigurationError(
        description: "\(path): \(key) is \(value), a setting this version does not know; it may change the numbers")
    }
  }
}
