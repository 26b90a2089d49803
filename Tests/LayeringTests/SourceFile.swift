// A source file as the layering tests read it: its lines, its imports, the names that it declares and mentions.

import Foundation
import Testing

struct SourceFile {
  /// Relative to the package.
  let path: String
  let lines: [Substring]
  /// The text without comments and string literals.
  private let code: String

  init(_ url: URL) throws {
    path = String(url.path.dropFirst(root.path.count + (root.path.hasSuffix("/") ? 0 : 1)))
    let text = try String(contentsOf: url, encoding: .utf8)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    code = text.replacing(/"""[\s\S]*?"""/, with: "").replacing(/"(?:\\.|[^"\\\n])*"/, with: "")
      .replacing(/\/\/[^\n]*/, with: "").replacing(/\/\*[\s\S]*?\*\//, with: "")
  }

  var folder: String { URL(filePath: path).deletingLastPathComponent().relativePath }

  /// Every file below a folder of the package, sorted by path.
  static func all(in folder: String, endings: Set<String> = ["swift"]) throws -> [SourceFile] {
    let base = root.appending(path: folder)
    let names = try #require(FileManager.default.enumerator(atPath: base.path)).compactMap { $0 as? String }
    return try names.sorted().filter { endings.contains(URL(filePath: $0).pathExtension) }
      .map { try SourceFile(base.appending(path: $0)) }
  }

  /// Modules that the file imports.
  var imports: Set<String> {
    let line = /(?m)^(?:@\w+ )*(?:public |package |internal |fileprivate |private )?import (?:struct |class |enum |func |protocol )?(\w+)/
    return Set(code.matches(of: line).map { String($0.1) })
  }

  /// Names of types and functions that the file declares at its top level and other files may use.
  var declarations: Set<String> {
    let line = /(?m)^(?:@\w+(?:\([^)]*\))? )*(?:package |internal |final |indirect )*(?:struct|class|enum|protocol|actor|typealias|func) (\w+)/
    return Set(code.matches(of: line).map { String($0.1) })
  }

  /// Every word of the code.
  var words: Set<String> { Set(code.matches(of: /\w+/).map { String($0.0) }) }
}
