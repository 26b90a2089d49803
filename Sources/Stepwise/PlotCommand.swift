// `stepwise plot`: a run's curve from its metrics.jsonl.

import ArgumentParser
import Foundation
import Imaging
import Telemetry

struct PlotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw a run's metrics over its steps, as PNG or SVG.")

  @Argument(help: "The run's folder, or its metrics.jsonl.") var source: String
  @Option(parsing: .upToNextOption, help: "Names of metrics; without any, the rewards' means.") var metric: [String] = []
  @Option(help: "File to write, ending in .png or .svg.") var out: String

  func validate() throws {
    guard out.hasSuffix(".png") || out.hasSuffix(".svg") else {
      throw ValidationError("--out: expected a file name that ends in .png or .svg, found \(out)")
    }
  }

  func run() throws {
    let file = source.hasSuffix(".jsonl") ? URL(filePath: source) : URL(filePath: source).appending(path: "metrics.jsonl")
    let records = try MetricsRecord.read(file)
    let known = Set(records.flatMap(\.values.keys)).sorted()
    let names = metric.isEmpty ? known.filter(MetricsCurve.isReward) : metric
    for name in names where !known.contains(name) {
      throw CommandError("\(file.path): expected one of \(known.joined(separator: ", ")), found the metric \(name)")
    }
    guard !names.isEmpty else {
      throw CommandError(
        "\(file.path): expected a metric of a reward, found \(known.isEmpty ? "none at all" : known.joined(separator: ", "))")
    }
    try MetricsCurve.write(records, names: names, title: file.deletingLastPathComponent().lastPathComponent, to: URL(filePath: out))
    print("wrote \(out)")
  }
}

/// Metrics drawn over steps.
enum MetricsCurve {
  private static let colors: [Image.Color] = [
    .init(31, 119, 180), .init(214, 39, 40), .init(44, 160, 44), .init(148, 103, 189), .init(255, 127, 14),
  ]

  /// Whether a metric is a reward's mean.
  static func isReward(_ name: String) -> Bool {
    name == "reward/mean" || name == "rewardMean" || name.hasPrefix("reward/") && name.hasSuffix("/mean")
  }

  static func write(_ records: [MetricsRecord], names: [String], title: String, to file: URL) throws {
    let lines = names.enumerated().map { index, name in
      LineChart.Line(
        name, records.compactMap { record in record.values[name].map { (Double(record.step), $0) } },
        color: colors[index % colors.count])
    }
    let chart = LineChart(
      title: names.count == 1 ? "\(title): \(names[0])" : title, horizontalTitle: "epoch", lines: lines)
    if file.pathExtension == "svg" {
      try Data(chart.svg().utf8).write(to: file, options: .atomic)
    } else {
      try chart.rendered().writePNG(to: file)
    }
  }
}
