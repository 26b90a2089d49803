// The files of a tokenizer folder, in the format of transformers.

package import Foundation

/// The content of vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json.
package struct TokenizerFiles: Sendable {
  /// Token to id; ids are unique.
  package var vocabulary: [String: Int]
  /// In the order of their rank.
  package var merges: [(left: String, right: String)]
  /// `bos_token`, `eos_token`, `pad_token` and `unk_token`, if they are given.
  package var special: [String: String]
  /// `model_max_length`; nil when it is absent or unlimited.
  package var maximumLength: Int?

  package init(
    vocabulary: [String: Int], merges: [(left: String, right: String)] = [], special: [String: String] = [:],
    maximumLength: Int? = nil
  ) {
    (self.vocabulary, self.merges, self.special, self.maximumLength) = (vocabulary, merges, special, maximumLength)
  }

  /// Reads a folder: vocab.json and merges.txt, or tokenizer.json if there is no vocab.json. The two configuration
  /// files may be missing.
  ///
  /// - Throws: `TokenizerError` with the path of the file that is missing or wrong.
  package init(folder: URL) throws {
    var vocabularyFile = folder.appendingPathComponent("vocab.json")
    let whole = folder.appendingPathComponent("tokenizer.json")
    let exists = FileManager.default.fileExists(atPath:)
    if !exists(vocabularyFile.path), exists(whole.path) {
      let model = try TokenizerJSON(file: whole).model
      vocabularyFile = whole
      vocabulary = model.vocab
      merges = model.merges.map { ($0.left, $0.right) }
    } else {
      let data = try TokenizerFiles.content(of: vocabularyFile)
      guard let found = try? JSONDecoder().decode([String: Int].self, from: data) else {
        throw TokenizerError(vocabularyFile.path, "not a JSON object of tokens and ids")
      }
      vocabulary = found
      merges = try TokenizerFiles.merges(folder.appendingPathComponent("merges.txt"))
    }
    guard Set(vocabulary.values).count == vocabulary.count, vocabulary.values.allSatisfy({ $0 >= 0 }) else {
      throw TokenizerError(vocabularyFile.path, "every token must have a different id, which is at least 0")
    }
    special = [:]
    // tokenizer_config.json takes precedence.
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
        file.path, "could not read this file of a CLIP tokenizer: \(error.localizedDescription)")
    }
  }

  private static func merges(_ file: URL) throws -> [(left: String, right: String)] {
    let text = String(decoding: try content(of: file), as: UTF8.self)
    var merges: [(left: String, right: String)] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.isEmpty || number == 0 && line.hasPrefix("#version") { continue }
      let parts = line.split(whereSeparator: { $0 == " " || $0 == "\r" })
      guard parts.count == 2 else {
        throw TokenizerError("\(file.path):\(number + 1)", "expected two symbols and a space, found \"\(line)\"")
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
      throw TokenizerError(file.path, "not a JSON object: \(error)")
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

  /// Writes the four files. transformers' CLIPTokenizer loads the folder and gives the same ids.
  ///
  /// - Throws: `TokenizerError` with the path of a file that could not be written.
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

  /// Sorted by id; encoding the dictionary directly would give another order each time.
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
      throw TokenizerError(file.path, "could not be written: \(error.localizedDescription)")
    }
  }
}
