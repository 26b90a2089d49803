// metrics.jsonl: one JSON object per step, appended. When a run resumes, the records of the steps that it repeats are
// removed.

internal import Durable
package import Foundation
internal import Synchronization

package final class MetricsLog: Sendable {
  private let file: Mutex<OpenFile>

  /// Opens or creates the file.
  ///
  /// - Parameter step: where the run resumes; records of this step and later ones, and a line cut short, are removed.
  ///   Nil keeps all whole lines.
  /// - Throws: `SystemError` when the file cannot be written, `TelemetryError` when it is not a metrics.jsonl.
  package init(file url: URL, resumingAt step: Int? = nil) throws {
    var kept: [MetricsRecord] = []
    if FileManager.default.fileExists(atPath: url.path) {
      kept = try MetricsRecord.read(url).filter { record in step.map { record.step < $0 } ?? true }
    }
    try Disk.writeWhole(kept.map(\.line).joined().utf8, to: url.path)
    file = Mutex(try OpenFile(url.path, .updating))
  }

  /// Appends one record; a record that does not fit on the disk leaves nothing behind.
  ///
  /// - Throws: `SystemError` when the disk is full or gone.
  package func append(step: Int, _ values: [String: Double], time: Double = Date().timeIntervalSince1970) throws {
    let line = MetricsRecord(step: step, time: time, values: values).line
    try file.withLock { try $0.append(Array(line.utf8)) }
  }
}
