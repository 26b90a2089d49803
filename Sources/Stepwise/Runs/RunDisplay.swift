// What a run is doing, from its metrics.jsonl: one line that renews itself on a terminal, a line an epoch elsewhere.

import Configuration
import Foundation
import Telemetry

/// Shows a run's progress on standard output.
final class RunDisplay {
  private let metrics: URL
  private let epochs: Int
  private let trajectoriesPerEpoch: Int
  private let minutes: Double?
  private let began = Date()
  private let isTerminal = isatty(STDOUT_FILENO) == 1
  private var shownEpoch = -1
  private var width = 0
  private var firstRecord: MetricsRecord?

  init(folder: URL, configuration: Configuration, minutes: Double?) {
    metrics = RunFolder.metrics(folder)
    epochs = configuration.training.epochs
    trajectoriesPerEpoch = configuration.sampling.groupsPerEpoch * configuration.sampling.groupSize
    self.minutes = minutes
  }

  /// Prints a line of its own.
  func say(_ text: String) {
    clear()
    print(text)
    fflush(nil)
  }

  /// Looks at the metrics, and shows them if there is something new.
  func update() {
    // The learner makes the file; until then it is starting, and a broken line is one being written.
    let records = (try? MetricsRecord.read(metrics)) ?? []
    guard let last = records.last else {
      if isTerminal { renew("starting, \(ProgressLine.clock(Date().timeIntervalSince(began)))") }
      return
    }
    if firstRecord == nil { firstRecord = records.first { $0.time >= began.timeIntervalSince1970 } }
    guard isTerminal || last.step != shownEpoch else { return }
    shownEpoch = last.step
    let line = text(last, updates: records.reduce(0) { $0 + ($1.values["epoch/updates"] ?? 0) })
    if isTerminal { renew(line) } else { say(line) }
  }

  /// Leaves the terminal's line as it is and begins a new one.
  func finish() {
    update()
    if isTerminal { print() }
    fflush(nil)
  }

  private func text(_ last: MetricsRecord, updates: Double) -> String {
    var parts = ["epoch \(last.step + 1)"]
    let elapsed = Date().timeIntervalSince(began)
    if let first = firstRecord, last.step > first.step, last.time > first.time {
      let epochSeconds = (last.time - first.time) / Double(last.step - first.step)
      parts.append(String(format: "%.1f trajectories/s", Double(trajectoriesPerEpoch) / epochSeconds))
    }
    parts.append("\(Int(updates)) updates")
    func add(_ name: String, _ format: (Double) -> String) {
      if let value = last.values[name], value.isFinite { parts.append(format(value)) }
    }
    add("reward/mean") { mean in
      let spread = last.values["reward/deviation"].map { String(format: " ± %.4f", $0) } ?? ""
      return String(format: "reward %.4f", mean) + spread
    }
    add("policy/lag") { String(format: "lag %.1f", $0) }
    parts.append(timeLeft(last, elapsed))
    return parts.joined(separator: ", ")
  }

  private func timeLeft(_ last: MetricsRecord, _ elapsed: Double) -> String {
    var left: [Double] = minutes.map { [60 * $0 - elapsed] } ?? []
    if let first = firstRecord, last.step > first.step {
      left.append(Double(epochs - 1 - last.step) * (last.time - first.time) / Double(last.step - first.step))
    }
    return left.min().map { "\(ProgressLine.clock($0)) left" } ?? "\(ProgressLine.clock(elapsed)) so far"
  }

  private func renew(_ line: String) {
    print("\r" + line + String(repeating: " ", count: max(0, width - line.count)), terminator: "")
    fflush(nil)
    width = line.count
  }

  private func clear() {
    guard isTerminal, width > 0 else { return }
    renew("")
    print("\r", terminator: "")
    width = 0
  }
}
