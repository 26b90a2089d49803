// One line of metrics.jsonl.

internal import Basics
package import Foundation

package struct MetricsRecord: Sendable, Equatable {
  package var step: Int
  /// Seconds since 1970.
  package var time: Double
  /// By name. A value that is not finite is written as null and read as NaN.
  package var values: [String: Double]

  package init(step: Int, time: Double, values: [String: Double]) {
    (self.step, self.time, self.values) = (step, time, values)
  }

  /// nil when the line is not a JSON object with an integer `step`.
  init?(line: some StringProtocol) {
    guard
      let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
      let step = object["step"] as? Int
    else { return nil }
    var values: [String: Double] = [:]
    for (name, value) in object where name != "step" && name != "time" {
      if let number = value as? Double { values[name] = number } else if value is NSNull { values[name] = .nan }
    }
    self.init(step: step, time: object["time"] as? Double ?? 0, values: values)
  }

  var line: String {
    let numbers = values.sorted { $0.key < $1.key }.map { name, value in
      "\(name.jsonQuoted): \(value.isFinite ? "\(value)" : "null")"
    }
    return "{" + (["\"step\": \(step)", "\"time\": \(time)"] + numbers).joined(separator: ", ") + "}\n"
  }

  /// All records of a metrics.jsonl, in the order of the file; a last line that a crash cut short is left out.
  ///
  /// - Throws: `TelemetryError` when the file cannot be read, or a complete line is not a record.
  package static func read(_ file: URL) throws -> [MetricsRecord] {
    let text: String
    do {
      text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    } catch {
      throw TelemetryError(file.path, "could not read the metrics: \(error.localizedDescription)")
    }
    let lines = text.split(separator: "\n")
    var records: [MetricsRecord] = []
    for (number, line) in lines.enumerated() {
      if let record = MetricsRecord(line: line) {
        records.append(record)
      } else if number < lines.count - 1 || text.hasSuffix("\n") {
        throw TelemetryError("\(file.path):\(number + 1)", "expected a JSON object with a step, found \(line)")
      }
    }
    return records
  }
}
