// Tables of text with aligned columns.

internal import Foundation

/// Aligned columns, with a rule under the first row.
package enum TextTable {
  package static func text(_ rows: [[String]]) -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    var text = ""
    for (number, row) in rows.enumerated() {
      let cells = row.enumerated().map { $1 + String(repeating: " ", count: widths[$0] - $1.count) }
      text += cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces) + "\n"
      if number == 0 { text += widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") + "\n" }
    }
    return text
  }
}
