// What the parts of a torture say they were told: each appends lines of words to a ledger, which outlives it.

import Foundation
import Glibc

/// The ledgers of a torture's actors and learner.
struct TortureLedgers {
  private let plan: TorturePlan
  private let actors: [String]

  init(_ plan: TorturePlan, actors: [String]) {
    self.plan = plan
    self.actors = actors
  }

  /// Of the actors' ledgers together; it grows when groups are acknowledged.
  var byteCount: Int {
    actors.reduce(0) { sum, name in
      var status = stat()
      return sum + (stat(plan.ledger(name).path, &status) == 0 ? Int(status.st_size) : 0)
    }
  }

  /// Groups that actors were told are on disk, so far; one that was acknowledged twice counts twice.
  var acknowledgedCount: Int {
    let space = UInt8(ascii: " "), newline = UInt8(ascii: "\n")
    var count = 0
    for name in actors {
      // An actor that has not begun has none. In a line are the word, the incarnation, and then the groups' numbers.
      guard let bytes = try? Data(contentsOf: plan.ledger(name)) else { continue }
      for byte in bytes where byte == space || byte == newline { count += byte == space ? 1 : -1 }
    }
    return count
  }

  /// Numbers of the groups that actors were told are on disk.
  ///
  /// - Throws: when a ledger cannot be read.
  func acknowledged() throws -> Set<Int> {
    try actors.reduce(into: []) { numbers, actor in
      for words in try lines(actor) where words[0] == "acknowledged" {
        numbers.formUnion(words.dropFirst(2).compactMap { Int($0) })
      }
    }
  }

  /// The words of each line of a part's ledger; none when it has not begun.
  func lines(_ part: String) throws -> [[String]] {
    let file = plan.ledger(part)
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: " ").map(String.init) }.filter { !$0.isEmpty }
  }
}
