// `stepwise plot`: a run's curve from its metrics.jsonl, or any lines that a JSON file describes.

import ArgumentParser
import Foundation
import Supervision
import Imaging
import Telemetry

struct PlotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw a run's metrics over its steps, or lines from a file, as PNG or SVG.",
    discussion: """
      A source that ends in .json describes lines: {"title": "...", "horizontalTitle": "...", "lines": [{"name": \
      "...", "points": [[x, y], ...]}, ...]}.
      """)

  @Argument(help: "The run's folder, its metrics.jsonl, or a .json file of lines.") var source: String
  @Option(parsing: .upToNextOption, help: "Names of metrics; without any, the rewards' means.") var metric: [String] = []
  @Option(help: "File to write, ending in .png or .svg.") var out: String

  func validate() throws {
    guard out.hasSuffix(".png") || out.hasSuffix(".svg") else {
      throw ValidationError("--out: expected a file name that ends in .png or .svg, found \(out)")
    }
  }

  func run() throws {
    let out = URL(filePath: out)
    if source.hasSuffix(".json") {
      try ChartDescription(file: URL(filePath: source)).chart.write(to: out)
    } else {
      try drawMetrics(to: out)
    }
    print("wrote \(self.out)")
  }

  private func drawMetrics(to out: URL) throws {
    let file = source.hasSuffix(".jsonl") ? URL(filePath: source) : URL(filePath: source).appending(path: "metrics.jsonl")
    let records = try MetricsRecord.read(file)
    let known = Set(records.flatMap(\.values.keys)).sorted()
    let names = metric.isEmpty ? known.filter(MetricsCurve.isReward) : metric
    for name in names where !known.contains(name) {
      throw CommandError("\(file.path): expected one of \(known.joined(separator: ", ")), found the metric \(name)")
    }
    guard !names.isEmpty else {
      throw CommandError(
        "\(file.path): expected a metric of a reward, "
          + "found \(known.isEmpty ? "none at all" : known.joined(separator: ", "))")
    }
    try MetricsCurve.write(records, names: names, title: file.deletingLastPathComponent().lastPathComponent, to: out)
  }
}

/// Lines as a JSON file gives them.
struct ChartDescription: Decodable {
  struct Line: Decodable {
    let name: String
    /// x and y of each.
    let points: [[Double]]
  }

  let title, horizontalTitle: String
  let lines: [Line]

  /// - Throws: `CommandError` naming the file and what it lacks.
  init(file: URL) throws {
    do {
      self = try JSONDecoder().decode(ChartDescription.self, from: try Data(contentsOf: file))
    } catch {
      throw CommandError(
        "\(file.path): expected a JSON object with title, horizontalTitle and lines, each with name and points: \(error)")
    }
    for line in lines {
      if let point = line.points.first(where: { $0.count != 2 }) {
        throw CommandError("\(file.path): line \(line.name): expected points [x, y], found \(point)")
      }
    }
  }

  var chart: LineChart {
    LineChart(
      title: title, horizontalTitle: horizontalTitle,
      lines: lines.enumerated().map { index, line in
        LineChart.Line(line.name, line.points.map { ($0[0], $0[1]) }, color: LineChart.color(index))
      })
  }
}

extension LineChart {
  private static let colors: [Image.Color] = [
    .init(31, 119, 180), .init(214, 39, 40), .init(44, 160, 44), .init(148, 103, 189), .init(255, 127, 14),
    .init(140, 86, 75), .init(23, 190, 207), .init(227, 119, 194), .init(90, 90, 90),
  ]

  /// The colour of the line of this index.
  static func color(_ index: Int) -> Image.Color { colors[index % colors.count] }

  /// As the file's name ends: .svg, or PNG.
  func write(to file: URL) throws {
    if file.pathExtension == "svg" {
      try Data(svg().utf8).write(to: file, options: .atomic)
    } else {
      try rendered().writePNG(to: file)
    }
  }
}

/// Metrics drawn over steps.
enum MetricsCurve {
  /// Whether a metric is a reward's mean.
  static func isReward(_ name: String) -> Bool {
    name == "reward/mean" || name.hasPrefix("reward/") && name.hasSuffix("/mean")
  }

  static func write(_ records: [MetricsRecord], names: [String], title: String, to file: URL) throws {
    let lines = names.enumerated().map { index, name in
      LineChart.Line(
        name, records.compactMap { record in record.values[name].map { (Double(record.step), $0) } },
        color: LineChart.color(index))
    }
    try LineChart(
      title: names.count == 1 ? "\(title): \(names[0])" : title, horizontalTitle: "epoch", lines: lines
    ).write(to: file)
  }
}
