// metrics.jsonl: one JSON object a step, appended. A run that resumes at a step goes on as if what it will do again
// had never been logged.

package import Foundation
internal import Synchronization

/// A run's metrics.jsonl, open for appending.
package final class MetricsLog: Sendable {
  private let path: String
  private let file: Mutex<FileHandle>

  /// Opens or makes the file.
  ///
  /// - Parameter step: where the run resumes; records of this step and later ones, and a line cut short, are removed.
  ///   Nil keeps all whole lines.
  /// - Throws: `TelemetryError` when the file cannot be written, or is not a metrics.jsonl.
  package init(file url: URL, resumingAt step: Int? = nil) throws {
    path = url.path
    var kept: [MetricsRecord] = []
    if FileManager.default.fileExists(atPath: url.path) {
      kept = try MetricsRecord.read(url).filter { record in step.map { record.step < $0 } ?? true }
    }
    do {
      try Data(kept.map(\.line).joined().utf8).write(to: url, options: .atomic)
      let handle = try FileHandle(forWritingTo: url)
      try handle.seekToEnd()
      file = Mutex(handle)
    } catch {
      throw TelemetryError(url.path, "the metrics cannot be written: \(error.localizedDescription)")
    }
  }

  /// Appends one record, whole or not at all.
  ///
  /// - Throws: `TelemetryError` when the disk is full or gone.
  package func append(step: Int, _ values: [String: Double], time: Double = Date().timeIntervalSince1970) throws {
    let line = MetricsRecord(step: step, time: time, values: values).line
    do {
      try file.withLock { try $0.appendWhole(Data(line.utf8)) }
    } catch {
      throw TelemetryError(path, "the metrics of step \(step) cannot be written: \(error.localizedDescription)")
    }
  }
}

extension FileHandle {
  /// Writes at the end; of what did not fit whole nothing is left, so that the next record does not begin within it.
  func appendWhole(_ data: Data) throws {
    let end = try seekToEnd()
    do { try write(contentsOf: data) } catch {
      try truncate(atOffset: end)
      throw error
    }
  }
}
