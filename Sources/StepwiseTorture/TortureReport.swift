// What a torture came to, in numbers: as JSON for machines, in lines for people.

import Foundation

/// Result of one torture.
struct TortureReport: Codable {
  var seed: UInt64 = 0
  var seconds = 0.0
  /// Faults by kind and part, as "kill learner".
  var faults: [String: Int] = [:]
  /// Processes ended by SIGKILL.
  var kills = 0
  var starts = 0
  /// Groups that an actor was told are on disk.
  var acknowledged = 0
  var stored = 0
  /// Acknowledged and not stored.
  var lost: [Int] = []
  /// Stored more than once.
  var storedTwice: [Int] = []
  /// Stored groups that are not what was made, in words; a score of 0 is one of them.
  var wrong: [String] = []
  /// Stored groups of the actors that had the fewest and the most, and on average; after a calm run they say how fair
  /// work was handed out.
  var fewestOfAnActor = 0
  var mostOfAnActor = 0
  var meanOfAnActor = 0.0
  /// Groups acknowledged a second, from the first one to the end of the torture; in a calm run from when there was one
  /// for each actor.
  var groupsPerSecond = 0.0
  var missingScores = 0
  var scores = 0
  var epochs = 0
  /// Epochs that were trained again after a restart, and came to the same.
  var epochsRepeated = 0
  /// Epochs that came out differently the second time, or were left out.
  var epochsWrong: [String] = []
  /// Times without any progress for longer than patience, in words.
  var hangs: [String] = []
  /// Parts that ended when nobody had ended them, in words.
  var unexpectedEnds: [String] = []
  /// Copies of the store that were damaged, and what came of it.
  var damage = DamageReport()
  /// Most resident memory of a process, in MiB, and most descriptors, by kind of part.
  var mostMemory: [String: Int] = [:]
  var mostDescriptors: [String: Int] = [:]
  var mostThreads: [String: Int] = [:]
  /// The same in the second half of the torture over the first half's, by kind of part: what goes on growing leaks.
  var growth: [String: Growth] = [:]

  /// How much more a kind of part used in the second half; negative where it used less.
  struct Growth: Codable, Equatable {
    var mebibytes = 0
    var descriptors = 0
    var threads = 0
  }
  /// Faults that could not be tried here, and why.
  var leftOut: [String] = []

  /// Whether everything that was promised was kept.
  var isGood: Bool {
    lost.isEmpty && storedTwice.isEmpty && wrong.isEmpty && epochsWrong.isEmpty && hangs.isEmpty
      && unexpectedEnds.isEmpty && damage.wrong.isEmpty && acknowledged > 0 && epochs > 0
  }

  /// For people.
  var lines: [String] {
    func list(_ what: String, _ items: [String]) -> [String] {
      items.isEmpty ? [] : ["\(what):"] + items.prefix(10).map { "  \($0)" }
    }
    let kinds = faults.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    return [
      "seed \(seed), \(Int(seconds)) s, \(kills) kills; faults: \(kinds)",
      "acknowledged \(acknowledged) groups, stored \(stored): \(lost.count) lost, \(storedTwice.count) stored twice, "
        + "\(wrong.count) not as made",
      String(
        format: "%.1f groups a second; an actor made %d to %d, %.1f on average: %+.0f%% to %+.0f%%", groupsPerSecond,
        fewestOfAnActor, mostOfAnActor, meanOfAnActor, 100 * (Double(fewestOfAnActor) / max(1, meanOfAnActor) - 1),
        100 * (Double(mostOfAnActor) / max(1, meanOfAnActor) - 1)),
      "scores \(scores): \(missingScores) missing and marked so, none silently zero"
        + (wrong.isEmpty ? "" : " but those below"),
      "epochs \(epochs), of them \(epochsRepeated) trained again after a restart, \(epochsWrong.count) differently",
      "\(hangs.count) hangs, \(unexpectedEnds.count) unexpected ends",
      damage.line,
      "most memory in MiB: " + mostMemory.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        + "; most descriptors: "
        + mostDescriptors.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
      "second half over first, MiB, descriptors, threads: "
        + growth.sorted { $0.key < $1.key }.map {
          String(format: "%@ %+d, %+d, %+d", $0.key, $0.value.mebibytes, $0.value.descriptors, $0.value.threads)
        }.joined(separator: "; "),
    ] + list("lost", lost.map(String.init)) + list("stored twice", storedTwice.map(String.init))
      + list("not as made", wrong)
      + list("epochs", epochsWrong) + list("hangs", hangs) + list("unexpected ends", unexpectedEnds)
      + list("damage", damage.wrong) + leftOut.map { "left out: \($0)" }
      + [isGood ? "nothing was lost" : "PROMISES WERE BROKEN"]
  }

  /// Writes the JSON.
  ///
  /// - Throws: when the file cannot be written.
  func write(to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(self).write(to: file)
  }
}
