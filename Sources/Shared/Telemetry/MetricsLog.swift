// metrics.jsonl: one JSON object per step, appended. When a run resumes, the records of the steps that it repeats are
// removed.

package import Foundation
internal import Synchronization

/// The metrics.jsonl of a run, open for appending.
package final class MetricsLog: Sendable {
  private let path: String
  private let file: Mutex<FileHandle>

  /// Opens or creates the file.
  ///
  /// - Parameter step: the step at which the run resumes; records from this step on, and a truncated last line, are
  ///   removed. nil keeps all complete lines.
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
      throw TelemetryError(url.path, "could not write the metrics: \(error.localizedDescription)")
    }
  }

  /// Appends one record; a record that does not fit on the disk leaves nothing behind.
  ///
  /// - Throws: `TelemetryError` when the file cannot be written.
  package func append(step: Int, _ values: [String: Double], time: Double = Date().timeIntervalSince1970) throws {
    let line = MetricsRecord(step: step, time: time, values: values).line
    do {
      try file.withLock { try $0.appendWhole(Data(line.utf8)) }
    } catch {
      throw TelemetryError(path, "could not write the metrics of step \(step): \(error.localizedDescription)")
    }
  }
}

extension FileHandle {
  /// Writes at the end. Removes a part that was written before an error, so that the next record starts on a new line.
  func appendWhole(_ data: Data) throws {
    let end = try seekToEnd()
    do { try write(contentsOf: data) } catch {
      try truncate(atOffset: end)
      throw error
    }
  }
}
