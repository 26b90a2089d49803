// What lies on a disk for long may be cut or flipped. Copies of the store are damaged, one place a copy, and opened:
// what comes back must be what was made, and what does not come back must be named.

import Actor
import Engine
import Foundation
import Glibc
import Replay

/// What came of damaging copies.
struct DamageReport: Codable {
  var copies = 0
  /// Copies in which the damage hit something that was named.
  var named = 0
  /// Copies that still gave every group as it was made.
  var harmless = 0
  /// Damage that came back as data, or was passed over in silence.
  var wrong: [String] = []

  var line: String {
    "\(copies) copies of the store cut or flipped: \(named) named the damage, \(harmless) unharmed, \(wrong.count) wrong"
  }
}

enum TortureDamage {
  /// Damages copies until the time is up.
  ///
  /// - Throws: when a copy cannot be made.
  static func run(
    _ replay: URL, scratch: URL, random: RandomStream, until end: Date, most: Int
  ) throws -> DamageReport {
    var random = random
    var report = DamageReport()
    let files = try FileManager.default.contentsOfDirectory(atPath: replay.path).sorted().filter {
      $0.hasPrefix("journal-") || $0.hasPrefix("segment-")
    }
    // One file with its damage, beside the newest journal: a large store need not be read a thousand times.
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
      judge(scratch, victim, expected: try numbers(replay, chosen, scratch), &random, &report)
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

  /// Groups in these files when they are whole.
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

  private static func judge(
    _ copy: URL, _ victim: String, expected: Set<Int>, _ random: inout RandomStream, _ report: inout DamageReport
  ) {
    var isNamed = false
    var found: Set<Int> = []
    do {
      let store = try ReplayStore(reading: copy)
      isNamed = !store.damage.isEmpty
      let entries = store.entries
      found = Set(entries.map(\.number))
      // Some of them, drawn at random: reading a group takes longer than all the rest.
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
      report.wrong.append("\(victim): \(expected.subtracting(found).count) groups are gone and nothing says so")
    } else {
      // A journal that ends earlier, at a record's border, is a journal that was written to less.
      report.harmless += 1
    }
  }
}
