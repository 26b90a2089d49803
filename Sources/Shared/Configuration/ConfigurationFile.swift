// Reads a configuration from YAML and writes it. The defaults, written as YAML, are the list of known keys: the file is
// laid over them, then the `--set` options, and the result is decoded. So no key is listed twice in code.

package import Foundation
internal import Yams

extension Configuration {
  /// Reads a file, applies overrides, makes paths absolute and validates.
  ///
  /// A relative path in the file is relative to the folder of the file. A relative path in an override or a default is
  /// relative to the working directory.
  ///
  /// - Parameters:
  ///   - file: the YAML file; nil takes the defaults.
  ///   - overrides: as `training.epochs=3`; the value is YAML too.
  ///   - defaults: the values of keys that neither the file nor an override has.
  /// - Throws: `ConfigurationError` naming the file, the line, the key, and the nearest known key.
  package init(file: URL?, overrides: [String] = [], defaults: Configuration = Configuration()) throws {
    let here = URL(filePath: FileManager.default.currentDirectoryPath, directoryHint: .isDirectory)
    var tree = try Self.rebased(Self.tree(of: defaults), on: here)
    if let file {
      let text: String
      do { text = try String(contentsOf: file, encoding: .utf8) } catch {
        throw ConfigurationError(
          "\(file.path): could not read the configuration: \(error.localizedDescription) Give the path of a YAML file, "
            + "such as configs/emoji-sdpo-alignment.yaml.")
      }
      let folder = file.absoluteURL.deletingLastPathComponent()
      tree = try Self.overlay(Self.rebased(Self.parse(text, source: file.path), on: folder), over: tree, file.path)
    }
    for option in overrides {
      tree = try Self.overlay(Self.rebased(Self.parse(override: option), on: here), over: tree, "--set \(option)")
    }
    self = try Self.decode(tree, source: file?.path ?? "the configuration")
    try validate(source: file?.path ?? "the configuration")
  }

  /// Reads YAML text; relative paths stay as they are. For tests and for tools that have no file.
  ///
  /// - Throws: `ConfigurationError`.
  package init(yaml: String, source: String = "the configuration") throws {
    let tree = try Self.overlay(Self.parse(yaml, source: source), over: Self.tree(of: Configuration()), source)
    self = try Self.decode(tree, source: source)
    try validate(source: source)
  }

  /// The complete configuration as YAML, every key with its value; reading it gives the same configuration.
  ///
  /// - Throws: `ConfigurationError`; never for a valid configuration.
  package func encodeYAML() throws -> String {
    var tree = try Self.tree(of: self)
    for section in tree.mapping?.keys.compactMap(\.string) ?? [] {
      for (key, value) in tree[section]?.mapping ?? [:] {
        guard let entries = value.mapping, let key = key.string else { continue }
        let sorted = entries.sorted { ($0.key.string ?? "") < ($1.key.string ?? "") }
        tree[section]?[key] = Node(sorted.map { ($0.key, $0.value) })
      }
    }
    return try Self.explained { try Yams.serialize(node: tree, width: -1, allowUnicode: true) }
  }

  /// Every key, as `training.epochs`, in the order of the struct.
  package static var keys: [String] {
    get throws {
      try tree(of: Configuration()).mapping?.flatMap { section in
        section.value.mapping?.map { "\(section.key.string ?? "").\($0.key.string ?? "")" } ?? []
      } ?? []
    }
  }

  private static func tree(of configuration: Configuration) throws -> Node {
    try explained {
      guard let node = try Yams.compose(yaml: YAMLEncoder().encode(configuration)) else {
        throw ConfigurationError("a configuration became empty YAML")
      }
      return node
    }
  }

  private static func parse(_ text: String, source: String) throws -> Node {
    do { return try Yams.compose(yaml: text) ?? Node([(Node, Node)]()) } catch {
      if case YamlError.duplicatedKeysInMapping(let names, let context) = error {
        throw ConfigurationError(
          "\(source):\(context.mark.line): \(names.sorted().joined(separator: ", ")): the key occurs more than once; "
            + "keep one, and move what belongs to it there.")
      }
      throw ConfigurationError("\(source): expected YAML, found an error in it: \(error)")
    }
  }

  /// `a.b=value` as the tree `{a: {b: value}}`.
  private static func parse(override option: String) throws -> Node {
    let halves = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let path = halves[0].split(separator: ".").map(String.init)
    guard halves.count == 2, path.count >= 2 else {
      throw ConfigurationError(
        "--set \(option): expected SECTION.KEY=VALUE, such as training.epochs=3, found no "
          + (halves.count == 2 ? "section." : "value."))
    }
    let value = try parse(halves[1], source: "--set \(option)")
    let leaf = halves[1].allSatisfy(\.isWhitespace) ? Node("", Tag(.str)) : value
    return path.reversed().reduce(leaf) { inner, key in Node([(Node(key), inner)]) }
  }

  /// `upper` laid over `lower`: every key of `upper` must be known to `lower`, except within lists and within settings
  /// that are maps themselves, such as `reward.weights`.
  private static func overlay(_ upper: Node, over lower: Node, _ source: String, path: [String] = []) throws -> Node {
    let here = path.joined(separator: ".")
    guard path.count < 2, var result = lower.mapping else { return upper }
    if upper.null != nil { return lower }
    guard let changes = upper.mapping else {
      let expected = here.isEmpty ? "expected sections such as run: and training:" : "\(here): expected keys"
      throw ConfigurationError(
        "\(source):\(line(of: upper)) \(expected), found \(upper.string.map { "\"\($0)\"" } ?? "a list"). "
          + "See docs/configuration.md.")
    }
    for (key, value) in changes {
      let name = key.string ?? "?"
      guard let known = result[key] else {
        throw ConfigurationError(
          "\(source):\(line(of: key)) \(try explainUnknown(name, in: path)) docs/configuration.md lists all keys.")
      }
      if value.null != nil, value.string?.isEmpty != false { continue }
      result[key] = try overlay(value, over: known, source, path: path + [name])
    }
    return .mapping(result)
  }

  /// Says where a known key belongs, or which known key is nearest.
  private static func explainUnknown(_ key: String, in path: [String]) throws -> String {
    let keys = try keys, sections = Configuration().sections.map(\.name)
    let full = (path + [key]).joined(separator: "."), parts = key.split(separator: ".").map(String.init)
    if keys.contains(key) {
      return "the key \(key) cannot be written in one line. Write `\(parts[1]):` below the section `\(parts[0]):`, or "
        + "use --set \(key)=VALUE."
    }
    if let section = path.last, sections.contains(key) {
      return "expected the section \(key) at the top level, found it inside \(section). Correct its indentation."
    }
    let nearest = nearestKey(to: full, among: path.isEmpty ? sections + keys : keys)
    return "unknown key \(full); the nearest known key is \(nearest ?? "none")."
  }

  private static func line(of node: Node) -> String { node.mark.map { "\($0.line):" } ?? "" }

  /// Makes relative paths absolute; empty ones stay empty.
  private static func rebased(_ tree: Node, on folder: URL) throws -> Node {
    func rebased(_ path: Node) -> Node {
      guard let text = path.string, !text.isEmpty, !text.hasPrefix("/") else { return path }
      return Node(folder.appending(path: text).standardizedFileURL.path, Tag(.str))
    }
    var tree = tree
    for (name, section) in Configuration().sections {
      for key in type(of: section).paths {
        guard let value = tree[name]?[key] else { continue }
        tree[name]?[key] = value.mapping.map { Node($0.map { ($0.key, rebased($0.value)) }) } ?? rebased(value)
      }
    }
    return tree
  }

  private static func decode(_ tree: Node, source: String) throws -> Configuration {
    do { return try YAMLDecoder().decode(Configuration.self, from: tree) } catch let error as DecodingError {
      throw ConfigurationError("\(source): \(explain(error, in: tree)) See docs/configuration.md.")
    }
  }

  private static func explain(_ error: DecodingError, in tree: Node) -> String {
    let (context, expected): (DecodingError.Context, String) =
      switch error {
      case .typeMismatch(let type, let context): (context, "\(type)")
      case .valueNotFound(let type, let context): (context, "\(type)")
      case .keyNotFound(let key, let context): (context, "the key \(key.stringValue)")
      case .dataCorrupted(let context): (context, context.debugDescription)
      @unknown default: (DecodingError.Context(codingPath: [], debugDescription: "\(error)"), "\(error)")
      }
    let found = context.codingPath.reduce(Optional(tree)) { node, key in
      key.intValue.map { node?.sequence?[$0] } ?? node?[key.stringValue]
    }
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return "\(path): expected \(expected), found \(found?.string.map { "\"\($0)\"" } ?? "a list or keys")."
  }

  private static func explained<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw ConfigurationError("writing the configuration as YAML: \(error)") }
  }
}
