// The account of a torture run, as JSON and as lines of text.

import Foundation

struct TortureReport: Codable {
  var seed: UInt64 = 0
  var seconds = 0.0
  /// Number of faults by kind and part, such as "kill learner".
  var faults: [String: Int] = [:]
  var kills = 0
  var starts = 0
  var acknowledged = 0
  var stored = 0
  /// Groups that were acknowledged and are not stored.
  var lost: [Int] = []
  var storedTwice: [Int] = []
  /// Stored groups that differ from what the actor made, in words. Synthetic scores are never 0, so a score of 0
  /// counts.
  var wrong: [String] = []
  /// Minimum, maximum and mean of the stored groups per actor. After a calm run they show how evenly the learner
  /// distributes work.
  var fewestOfAnActor = 0
  var mostOfAnActor = 0
  var meanOfAnActor = 0.0
  /// Acknowledged groups per second, from the first one to the end of the faults; in a calm run from the moment when
  /// there was one per actor.
  var groupsPerSecond = 0.0
  var missingScores = 0
  var scores = 0
  var epochs = 0
  /// Epochs that were trained again after a restart, with the same groups.
  var epochsRepeated = 0
  /// Epochs that had different groups the second time, or are missing.
  var epochsWrong: [String] = []
  /// Times without progress for longer than the patience, in words.
  var hangs: [String] = []
  /// Parts that ended without a fault, in words.
  var unexpectedEnds: [String] = []
  var damage = DamageReport()
  /// Peak resident memory in MiB, descriptors and threads of a process, by kind of part.
  var mostMemory: [String: Int] = [:]
  var mostDescriptors: [String: Int] = [:]
  var mostThreads: [String: Int] = [:]
  /// The peaks of the second half minus those of the first half, by kind of part: a leak keeps growing.
  var growth: [String: Growth] = [:]

  struct Growth: Codable, Equatable {
    var mebibytes = 0
    var descriptors = 0
    var threads = 0
  }
  /// Faults that could not be injected on this machine, and the reason.
  var leftOut: [String] = []

  var isGood: Bool {
    lost.isEmpty && storedTwice.isEmpty && wrong.isEmpty && epochsWrong.isEmpty && hangs.isEmpty
      && unexpectedEnds.isEmpty && damage.wrong.isEmpty && acknowledged > 0 && epochs > 0
  }

  var lines: [String] {
    func list(_ what: String, _ items: [String]) -> [String] {
      items.isEmpty ? [] : ["\(what):"] + items.prefix(10).map { "  \($0)" }
    }
    func peaks(_ values: [String: Int]) -> String {
      values.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
    let kinds = faults.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    return [
      "seed \(seed), \(Int(seconds)) s, \(kills) kills; faults: \(kinds)",
      "acknowledged \(acknowledged) groups, stored \(stored): \(lost.count) lost, \(storedTwice.count) stored twice, "
        + "\(wrong.count) changed",
      String(
        format: "%.1f groups/s; %d to %d groups per actor, %.1f on average: %+.0f%% to %+.0f%%", groupsPerSecond,
        fewestOfAnActor, mostOfAnActor, meanOfAnActor, 100 * (Double(fewestOfAnActor) / max(1, meanOfAnActor) - 1),
        100 * (Double(mostOfAnActor) / max(1, meanOfAnActor) - 1)),
      "\(scores) scores, \(missingScores) of them missing",
      "\(epochs) epochs, \(epochsRepeated) trained again after a restart, \(epochsWrong.count) wrong",
      "\(hangs.count) hangs, \(unexpectedEnds.count) unexpected ends",
      damage.line,
      "peak memory in MiB: \(peaks(mostMemory)); descriptors: \(peaks(mostDescriptors))",
      "growth in the second half (MiB, descriptors, threads): "
        + growth.sorted { $0.key < $1.key }.map {
          String(format: "%@ %+d, %+d, %+d", $0.key, $0.value.mebibytes, $0.value.descriptors, $0.value.threads)
        }.joined(separator: "; "),
    ] + list("lost", lost.map(String.init)) + list("stored twice", storedTwice.map(String.init))
      + list("changed", wrong)
      + list("epochs", epochsWrong) + list("hangs", hangs) + list("unexpected ends", unexpectedEnds)
      + list("damage", damage.wrong) + leftOut.map { "left out: \($0)" }
      + [isGood ? "nothing was lost" : "FAILED: a promise was broken"]
  }

  func write(to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(self).write(to: file)
  }
}
