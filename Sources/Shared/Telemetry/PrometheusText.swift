// Metrics in Prometheus' text format 0.0.4, for a scrape or for node_exporter's textfile collector.

package import Foundation

/// One metric with its samples.
package struct PrometheusMetric: Sendable {
  /// How a metric behaves.
  package enum Kind: String, Sendable {
    case counter, gauge
  }

  /// One value under labels.
  package struct Sample: Sendable {
    package var labels: [String: String]
    package var value: Double
    package init(_ value: Double, labels: [String: String] = [:]) {
      (self.value, self.labels) = (value, labels)
    }
  }

  /// Letters, digits and underscores.
  package var name: String
  /// What it counts, with its unit.
  package var help: String
  package var kind: Kind
  package var samples: [Sample]

  package init(_ name: String, _ kind: Kind, help: String, samples: [Sample]) {
    (self.name, self.kind, self.help, self.samples) = (name, kind, help, samples)
  }

  /// One sample without labels.
  package init(_ name: String, _ kind: Kind, help: String, value: Double) {
    self.init(name, kind, help: help, samples: [Sample(value)])
  }
}

/// Prometheus' text format.
package enum PrometheusText {
  /// The metrics as text, in their order; labels by name.
  package static func rendered(_ metrics: [PrometheusMetric]) -> String {
    var text = ""
    for metric in metrics {
      text += "# HELP \(metric.name) \(escaped(metric.help))\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
      for sample in metric.samples {
        let labels = sample.labels.sorted { $0.key < $1.key }
          .map { "\($0)=\"\(escaped($1).replacingOccurrences(of: "\"", with: "\\\""))\"" }
        text += metric.name + (labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}") + " "
          + number(sample.value) + "\n"
      }
    }
    return text
  }

  /// Writes the text, beside its place and renamed into it.
  ///
  /// - Throws: `TelemetryError` with the path when it cannot be written.
  package static func write(_ metrics: [PrometheusMetric], to file: URL) throws {
    do {
      try Data(rendered(metrics).utf8).write(to: file, options: .atomic)
    } catch {
      throw TelemetryError(file.path, "the metrics cannot be written: \(error.localizedDescription)")
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\n", with: "\\n")
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return Int(exactly: value).map(String.init) ?? "\(value)"
  }
}
