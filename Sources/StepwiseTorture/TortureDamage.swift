// Truncates or flips one bit in copies of the store, and opens them: every group that can be read must be unchanged,
// and the store must report groups that cannot be read.

import Actor
import Engine
import Foundation
import Glibc
import Replay

struct DamageReport: Codable {
  var copies = 0
  /// Copies whose damage the store reported.
  var named = 0
  /// Copies that still returned every group unchanged.
  var harmless = 0
  /// Damage that was returned as data, or was not reported.
  var wrong: [String] = []

  var line: String {
    "\(copies) damaged copies of the store: \(named) reported the damage, \(harmless) complete, \(wrong.count) wrong"
  }
}

enum TortureDamage {
  /// Damages copies until `end`, at most `most` of them.
  ///
  /// - Throws: when a copy cannot be written.
  static func run(
    _ replay: URL, scratch: URL, random: RandomStream, until end: Date, most: Int
  ) throws -> DamageReport {
    var random = random
    var report = DamageReport()
    let files = try FileManager.default.contentsOfDirectory(atPath: replay.path).sorted().filter {
      $0.hasPrefix("journal-") || $0.hasPrefix("segment-")
    }
    // Only the damaged file and the newest journal, so that a large store is not read for every copy.
    while report.copies < most, Date() < end {
      let victim = files[random.integer(below: files.count)]
      let journals = files.filter { $0.hasPrefix("journal-") }.suffix(1)
      let chosen = Set(journals + [victim])
      try? FileManager.default.removeItem(at: scratch)
      try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
      for name in chosen {
        let (source, target) = (replay.appending(path: name), scratch.appending(path: name))
        if name == victim {
          var bytes = try Data(contentsOf: source)
          guard !bytes.isEmpty else { continue }
          try mutate(&bytes, &random).write(to: target)
        } else {
          try FileManager.default.createSymbolicLink(at: target, withDestinationURL: source)
        }
      }
      check(scratch, victim, expected: try numbers(replay, chosen, scratch), &random, &report)
      report.copies += 1
    }
    try? FileManager.default.removeItem(at: scratch)
    return report
  }

  private static func mutate(_ bytes: inout Data, _ random: inout RandomStream) -> Data {
    let place = random.integer(below: bytes.count)
    if random.integer(below: 2) == 0 { return bytes.prefix(place) }
    bytes[place] ^= 1 << UInt8(random.integer(below: 8))
    return bytes
  }

  /// Groups in these files before the damage.
  private static func numbers(_ replay: URL, _ names: Set<String>, _ scratch: URL) throws -> Set<Int> {
    let whole = scratch.appendingPathExtension("whole")
    try? FileManager.default.removeItem(at: whole)
    try FileManager.default.createDirectory(at: whole, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: whole) }
    for name in names {
      try FileManager.default.createSymbolicLink(
        at: whole.appending(path: name), withDestinationURL: replay.appending(path: name))
    }
    return Set(try ReplayStore(reading: whole).entries.map(\.number))
  }

  private static func check(
    _ copy: URL, _ victim: String, expected: Set<Int>, _ random: inout RandomStream, _ report: inout DamageReport
  ) {
    var isNamed = false
    var found: Set<Int> = []
    do {
      let store = try ReplayStore(reading: copy)
      isNamed = !store.damage.isEmpty
      let entries = store.entries
      found = Set(entries.map(\.number))
      // A random sample: reading groups takes most of the time.
      for _ in 0..<min(64, entries.count) {
        let entry = entries[random.integer(below: entries.count)]
        do {
          let group = try store.group(entry.number)
          if let problem = SyntheticGroups.problem(with: group) { report.wrong.append("\(victim): \(problem)") }
        } catch is ReplayError {
          isNamed = true
        }
      }
    } catch is ReplayError {
      isNamed = true
    } catch {
      report.wrong.append("\(victim): \(error)")
    }
    if isNamed {
      report.named += 1
    } else if found == expected {
      report.harmless += 1
    } else if !victim.hasPrefix("journal-") || !found.isSubset(of: expected) {
      report.wrong.append("\(victim): \(expected.subtracting(found).count) groups are lost without a report")
    } else {
      // A journal that is truncated between two records equals a shorter journal.
      report.harmless += 1
    }
  }
}
