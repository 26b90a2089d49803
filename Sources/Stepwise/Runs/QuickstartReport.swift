// The results of a quickstart: a table on the terminal, a sheet, a curve, the adapter, and the numbers as JSON.

import Durable
import Foundation
import Imaging
import Telemetry

struct QuickstartReport {
  let reward: String
  let files: RunFiles
  /// The adapter of the newest checkpoint.
  let adapter: URL
  let prompts: [String]
  let seeds: Int
  let before, after: Evaluation.Result

  func write() throws {
    let folder = files.folder, lora = folder.appending(path: "pytorch_lora_weights.safetensors")
    let sheet = folder.appending(path: "before-after.png"), curve = folder.appending(path: "reward.png")
    try Disk.writeWhole(Disk.read(adapter.path), to: lora.path)
    try contactSheet().writePNG(to: sheet)
    try MetricsCurve.write(
      MetricsRecord.read(files.metrics), names: ["reward/\(reward)/mean"], title: "\(reward) of each epoch's pictures",
      to: curve)
    for (name, result) in [("before", before), ("after", after)] {
      try Disk.writeWhole(result.report.json(), to: folder.appending(path: "evaluation-\(name).json").path)
    }
    print("\n" + table())
    print(
      """
      Look at  \(sheet.path)
               \(curve.path)
      LoRA     \(lora.path)
      Replay   \(folder.appending(path: "replay").path)
      Metrics  tensorboard --logdir \(folder.path)
      """)
  }

  private func table() -> String {
    var rows = [["held-out", "before", "after", "change"]]
    for name in before.scores.keys.sorted(by: { ($0 == reward ? 0 : 1, $0) < ($1 == reward ? 0 : 1, $1) }) {
      guard let old = before.report.rewards[name]?.all, let new = after.report.rewards[name]?.all else { continue }
      rows.append([name, old.text, new.text, change(name, old, new)])
    }
    if let old = before.report.diversity, let new = after.report.diversity {
      rows.append(["diversity", String(format: "%.4f", old), String(format: "%.4f", new), ""])
    }
    return TextTable.text(rows)
  }

  /// The difference, in standard errors of the difference too, and in percent for JPEG sizes.
  private func change(_ name: String, _ old: ScoreSummary, _ new: ScoreSummary) -> String {
    var text = String(format: "%+.4f", new.mean - old.mean)
    if let a = old.standardError, let b = new.standardError, a + b > 0 {
      text += String(format: ", %.1f standard errors", (new.mean - old.mean) / (a * a + b * b).squareRoot())
    }
    if name.hasPrefix("jpeg-"), old.mean != 0 {
      text += String(format: ", JPEG size %+.0f%%", 100 * (new.mean / old.mean - 1))
    }
    return text
  }

  private static let shownPrompts = 10
  private static let shownSeeds = 4

  /// One row per prompt: the same seeds before and after.
  private func contactSheet() throws -> Image {
    let seeds = min(seeds, Self.shownSeeds)
    let rows = prompts.prefix(Self.shownPrompts).enumerated().map { number, prompt in
      let first = number * self.seeds
      let shown = [before, after].flatMap { $0.pictures[first..<first + seeds] }
      return ContactSheet.Row(prompt, shown.map { ContactSheet.Cell($0) })
    }
    let blank = [String](repeating: "", count: seeds - 1)
    return try ContactSheet(
      title: "\(reward): held-out prompts, the same noise before and after training",
      columnTitles: ["before"] + blank + ["after"] + blank, rows: rows, cellSide: 96
    ).rendered()
  }
}
