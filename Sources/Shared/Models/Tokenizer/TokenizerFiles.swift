// The files of a tokenizer folder, read and written as transformers has them.

package import Foundation

/// The content of vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json.
package struct TokenizerFiles: Sendable {
  /// Token to id; ids are unique.
  package var vocabulary: [String: Int]
  /// In order of rank.
  package var merges: [(left: String, right: String)]
  /// `bos_token`, `eos_token`, `pad_token`, `unk_token`, as far as they are named.
  package var special: [String: String]
  /// `model_max_length`; nil when it is absent or boundless.
  package var maximumLength: Int?

  /// Files that are not on a disk.
  package init(
    vocabulary: [String: Int], merges: [(left: String, right: String)] = [], special: [String: String] = [:],
    maximumLength: Int? = nil
  ) {
    (self.vocabulary, self.merges, self.special, self.maximumLength) = (vocabulary, merges, special, maximumLength)
  }

  /// Reads a folder: vocab.json and merges.txt, or tokenizer.json where those are not there; the two configuration
  /// files may be absent.
  ///
  /// - Throws: `TokenizerError` with the path of what is missing or wrong.
  package init(folder: URL) throws {
    var vocabularyFile = folder.appendingPathComponent("vocab.json")
    let whole = folder.appendingPathComponent("tokenizer.json")
    if !FileManager.default.fileExists(atPath: vocabularyFile.path), FileManager.default.fileExists(atPath: whole.path) {
      let model = try TokenizerJSON(file: whole).model
      vocabularyFile = whole
      vocabulary = model.vocab
      merges = model.merges.map { ($0.left, $0.right) }
    } else {
      let data = try TokenizerFiles.content(of: vocabularyFile)
      guard let found = try? JSONDecoder().decode([String: Int].self, from: data) else {
        throw TokenizerError(
          vocabularyFile.path, "expected a JSON object of tokens and ids, found \(data.count) bytes that are none")
      }
      vocabulary = found
      merges = try TokenizerFiles.merges(folder.appendingPathComponent("merges.txt"))
    }
    guard Set(vocabulary.values).count == vocabulary.count, vocabulary.values.allSatisfy({ $0 >= 0 }) else {
      throw TokenizerError(vocabularyFile.path, "expected a different id of at least 0 for every token")
    }
    special = [:]
    // What tokenizer_config.json says counts more.
    for name in ["special_tokens_map.json", "tokenizer_config.json"] {
      let file = folder.appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      try readConfiguration(file)
    }
  }

  private static func content(of file: URL) throws -> Data {
    do {
      return try Data(contentsOf: file)
    } catch {
      throw TokenizerError(
        file.path, "expected a readable file of a CLIP tokenizer (vocab.json, merges.txt): \(error.localizedDescription)")
    }
  }

  private static func merges(_ file: URL) throws -> [(left: String, right: String)] {
    let text = String(decoding: try content(of: file), as: UTF8.self)
    var merges: [(left: String, right: String)] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.isEmpty || number == 0 && line.hasPrefix("#version") { continue }
      let parts = line.split(whereSeparator: { $0 == " " || $0 == "\r" })
      guard parts.count == 2 else {
        throw TokenizerError("\(file.path):\(number + 1)", "expected two symbols and a space between, found \"\(line)\"")
      }
      merges.append((String(parts[0]), String(parts[1])))
    }
    return merges
  }

  private mutating func readConfiguration(_ file: URL) throws {
    let values: [String: JSONValue]
    do {
      values = try JSONDecoder().decode([String: JSONValue].self, from: Data(contentsOf: file))
    } catch {
      throw TokenizerError(file.path, "expected a JSON object: \(error)")
    }
    for key in ["bos_token", "eos_token", "pad_token", "unk_token"] {
      switch values[key] {
      case .string(let token): special[key] = token
      case .object(let token):
        if case .string(let content) = token["content"] { special[key] = content }
      default: break
      }
    }
    if case .number(let length) = values["model_max_length"], length < 1e9 {
      maximumLength = Int(length)
    }
  }

  /// Writes the four files, so that transformers' CLIPTokenizer loads the folder and gives the same ids.
  ///
  /// - Throws: `TokenizerError` with the path when a file cannot be written.
  package func write(to folder: URL) throws {
    var configuration: [String: JSONValue] = special.mapValues { .string($0) }
    let specialMap = configuration
    configuration["tokenizer_class"] = .string("CLIPTokenizer")
    configuration["do_lower_case"] = .bool(true)
    configuration["add_prefix_space"] = .bool(false)
    configuration["clean_up_tokenization_spaces"] = .bool(true)
    configuration["errors"] = .string("replace")
    configuration["model_max_length"] = maximumLength.map { .number(Double($0)) }
    try write(json: JSONValue.object(configuration), to: folder.appendingPathComponent("tokenizer_config.json"))
    try write(json: JSONValue.object(specialMap), to: folder.appendingPathComponent("special_tokens_map.json"))
    try write(Data(vocabularyText.utf8), to: folder.appendingPathComponent("vocab.json"))
    let lines = ["#version: 0.2"] + merges.map { "\($0.left) \($0.right)" }
    try write(Data((lines.joined(separator: "\n") + "\n").utf8), to: folder.appendingPathComponent("merges.txt"))
  }

  /// By id, as a person reads it; a dictionary encoded as it is would come in another order each time.
  private var vocabularyText: String {
    let lines = vocabulary.sorted { $0.value < $1.value }.map { token, id in
      let escaped = token.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
      return "\"\(escaped)\": \(id)"
    }
    return "{" + lines.joined(separator: ", ") + "}\n"
  }

  private func write(json: JSONValue, to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try write(encoder.encode(json) + Data("\n".utf8), to: file)
  }

  private func write(_ data: Data, to file: URL) throws {
    do {
      try data.write(to: file, options: .atomic)
    } catch {
      throw TokenizerError(file.path, "cannot be written: \(error.localizedDescription)")
    }
  }
}
