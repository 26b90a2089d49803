// `stepwise plot`: curves from the metrics.jsonl of a run, or lines from a JSON file.

import ArgumentParser
import Durable
import Foundation
import Imaging
import Supervision
import Telemetry

struct PlotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw metrics of a run over its epochs, or lines from a file, as PNG or SVG.",
    discussion: """
      A source that ends in .json describes lines: {"title": "...", "horizontalTitle": "...", "lines": [{"name": \
      "...", "points": [[x, y], ...]}, ...]}.
      """)

  @Argument(help: "Folder of a run, a metrics.jsonl, or a .json file with lines.") var source: String
  @Option(parsing: .upToNextOption, help: "Names of metrics. (default: the means of the rewards)")
  var metric: [String] = []
  @Option(help: "File to write; its name ends in .png or .svg.") var out: String

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
    let given = URL(filePath: source), file = source.hasSuffix(".jsonl") ? given : RunFiles(folder: given).metrics
    let records = try MetricsRecord.read(file)
    let known = Set(records.flatMap(\.values.keys)).sorted()
    let names = metric.isEmpty ? known.filter(MetricsCurve.isReward) : metric
    for name in names where !known.contains(name) {
      throw CommandError("\(file.path) has no metric \(name); it has \(known.joined(separator: ", "))")
    }
    guard !names.isEmpty else {
      throw CommandError(
        "\(file.path) has no metric of a reward; "
          + (known.isEmpty ? "it holds no metrics" : "choose from \(known.joined(separator: ", "))"))
    }
    let run = file.deletingLastPathComponent().lastPathComponent
    try MetricsCurve.write(records, names: names, title: names.count == 1 ? "\(run): \(names[0])" : run, to: out)
  }
}

struct ChartDescription: Decodable {
  struct Line: Decodable {
    let name: String
    /// [x, y] each.
    let points: [[Double]]
  }

  let title, horizontalTitle: String
  let lines: [Line]

  init(file: URL) throws {
    do {
      self = try JSONDecoder().decode(ChartDescription.self, from: try Data(contentsOf: file))
    } catch {
      throw CommandError(
        "\(file.path): expected a JSON object with title, horizontalTitle and lines, each with name and points: "
          + "\(error)")
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

  static func color(_ index: Int) -> Image.Color { colors[index % colors.count] }

  /// Writes SVG when the file name ends in .svg, otherwise PNG.
  func write(to file: URL) throws {
    if file.pathExtension == "svg" { try Disk.writeWhole(svg().utf8, to: file.path) } else {
      try rendered().writePNG(to: file)
    }
  }
}

enum MetricsCurve {
  static func isReward(_ name: String) -> Bool {
    name.hasPrefix("reward/") && name.hasSuffix("/mean")
  }

  static func write(_ records: [MetricsRecord], names: [String], title: String, to file: URL) throws {
    let lines = names.enumerated().map { index, name in
      LineChart.Line(
        name, records.compactMap { record in record.values[name].map { (Double(record.step), $0) } },
        color: LineChart.color(index))
    }
    try LineChart(title: title, horizontalTitle: "epoch", lines: lines).write(to: file)
  }
}
