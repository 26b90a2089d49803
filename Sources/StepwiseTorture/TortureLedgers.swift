// Ledgers: files to which the parts of a torture run append what they were told, and which outlive them.

import Foundation
import Glibc

struct TortureLedgers {
  private let plan: TorturePlan
  private let actors: [String]

  init(_ plan: TorturePlan, actors: [String]) {
    self.plan = plan
    self.actors = actors
  }

  /// Size of all ledgers of actors; it grows when groups are acknowledged.
  var byteCount: Int {
    actors.reduce(0) { sum, name in
      var status = stat()
      return sum + (stat(plan.ledger(name).path, &status) == 0 ? Int(status.st_size) : 0)
    }
  }

  /// Acknowledgements of groups so far; a group that was acknowledged twice counts twice.
  var acknowledgedCount: Int {
    let space = UInt8(ascii: " "), newline = UInt8(ascii: "\n")
    var count = 0
    for name in actors {
      // An actor that has not started has no ledger. A line holds a word, the incarnation, and numbers of groups.
      guard let bytes = try? Data(contentsOf: plan.ledger(name)) else { continue }
      for byte in bytes where byte == space || byte == newline { count += byte == space ? 1 : -1 }
    }
    return count
  }

  /// Numbers of the acknowledged groups.
  ///
  /// - Throws: when a ledger cannot be read.
  func acknowledged() throws -> Set<Int> {
    try actors.reduce(into: []) { numbers, actor in
      for words in try lines(actor) where words[0] == "acknowledged" {
        numbers.formUnion(words.dropFirst(2).compactMap { Int($0) })
      }
    }
  }

  /// The words of each line of a ledger; empty when the part has not started.
  func lines(_ part: String) throws -> [[String]] {
    let file = plan.ledger(part)
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: " ").map(String.init) }.filter { !$0.isEmpty }
  }
}
