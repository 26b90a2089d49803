// Progress of a run, from its metrics.jsonl: on a terminal one line that replaces itself, otherwise one line per epoch.

import Configuration
import Foundation
import Telemetry

final class RunDisplay {
  private let metrics: URL
  private let epochs: Int
  private let trajectoriesPerEpoch: Int
  private let minutes: Double?
  private let began = Date()
  private var line = TerminalLine(.standardOutput)
  private var shownEpoch = -1
  private var firstRecord: MetricsRecord?

  init(_ files: RunFiles, _ configuration: Configuration, minutes: Double?) {
    metrics = files.metrics
    epochs = configuration.training.epochs
    trajectoriesPerEpoch = configuration.sampling.groupsPerEpoch * configuration.sampling.groupSize
    self.minutes = minutes
  }

  private var isTerminal: Bool { line.columns != nil }

  func say(_ text: String) { line.say(text) }

  func update() {
    // The learner creates the file when it is ready. A broken last line is one that is being written.
    let records = (try? MetricsRecord.read(metrics)) ?? []
    guard let last = records.last else {
      if isTerminal { line.show("starting, \(ProgressLine.clock(Date().timeIntervalSince(began)))") }
      return
    }
    if firstRecord == nil { firstRecord = records.first { $0.time >= began.timeIntervalSince1970 } }
    guard isTerminal || last.step != shownEpoch else { return }
    shownEpoch = last.step
    line.show(text(last, updates: records.reduce(0) { $0 + ($1.values["epoch/updates"] ?? 0) }))
  }

  func finish() {
    update()
    line.finish()
  }

  /// The parts that matter most come first, as a narrow terminal cuts the last ones off.
  private func text(_ last: MetricsRecord, updates: Double) -> String {
    let elapsed = Date().timeIntervalSince(began)
    var parts = ["epoch \(last.step + 1)", timeLeft(last, elapsed)]
    if let mean = last.values["reward/mean"], let error = last.values["reward/standard_error"] {
      parts.append(String(format: "reward %.4f ± %.4f", mean, error))
    }
    if let seconds = epochSeconds(last) {
      parts.append(String(format: "%.1f trajectories/s", Double(trajectoriesPerEpoch) / seconds))
    }
    parts.append("\(Int(updates)) updates")
    if let staleness = last.values["policy/staleness"], staleness > 0 {
      parts.append(String(format: "staleness %.1f", staleness))
    }
    return parts.joined(separator: ", ")
  }

  private func timeLeft(_ last: MetricsRecord, _ elapsed: Double) -> String {
    let left = [minutes.map { 60 * $0 - elapsed }, epochSeconds(last).map { Double(epochs - 1 - last.step) * $0 }]
    return left.compactMap(\.self).min().map { "\(ProgressLine.clock($0)) left" }
      ?? "\(ProgressLine.clock(elapsed)) so far"
  }

  private func epochSeconds(_ last: MetricsRecord) -> Double? {
    guard let first = firstRecord, last.step > first.step, last.time > first.time else { return nil }
    return (last.time - first.time) / Double(last.step - first.step)
  }
}
