// The check at the end, as in Jepsen: every acknowledged group must be stored exactly once and unchanged; a group that
// was not acknowledged may be stored once or not at all.

import Actor
import Foundation
import Messages
import Replay

enum TortureAccounting {
  /// Compares the ledgers with the replay.
  ///
  /// - Throws: when a ledger or the replay cannot be opened.
  static func account(_ plan: TorturePlan, _ ledgers: TortureLedgers, into report: inout TortureReport) throws {
    let acknowledged = try ledgers.acknowledged()
    let store = try ReplayStore(reading: plan.replay)
    for damage in store.damage where !damage.isTornTail { report.wrong.append("the store is damaged: \(damage)") }
    let numbers = store.entries.map(\.number)
    report.acknowledged = acknowledged.count
    report.stored = numbers.count
    // `contains` includes groups that the limits of the replay have dropped.
    report.lost = acknowledged.filter { !store.contains($0) }.sorted()
    report.storedTwice = Dictionary(grouping: numbers) { $0 }.filter { $0.value.count > 1 }.keys.sorted()
    var makers: [String: Int] = [:]
    for number in numbers {
      let group = try store.group(number)
      makers[group.actor, default: 0] += 1
      for score in group.trajectories.flatMap(\.scores) {
        report.scores += 1
        if score.value == nil { report.missingScores += 1 }
      }
      if let problem = SyntheticGroups.problem(with: group) { report.wrong.append(problem) }
    }
    report.fewestOfAnActor = makers.values.min() ?? 0
    report.mostOfAnActor = makers.values.max() ?? 0
    report.meanOfAnActor = Double(numbers.count) / Double(max(1, makers.count))
    report.wrong += store.verify().map { "\($0)" }
    try epochs(ledgers, into: &report)
  }

  private static func epochs(_ ledgers: TortureLedgers, into report: inout TortureReport) throws {
    var chains: [Int: String] = [:]
    for words in try ledgers.lines("learner") {
      if words[0] == "damaged" { report.wrong.append(words.joined(separator: " ")) }
      guard words[0] == "trained", words.count == 3, let epoch = Int(words[1]) else { continue }
      if let before = chains[epoch] {
        report.epochsRepeated += 1
        if before != words[2] { report.epochsWrong.append("epoch \(epoch) had different groups the second time") }
      }
      chains[epoch] = words[2]
    }
    report.epochs = chains.count
    for epoch in 0..<chains.count where chains[epoch] == nil {
      report.epochsWrong.append("epoch \(epoch) was left out")
    }
  }
}
