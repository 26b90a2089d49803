// TensorBoard event files. Every record is passed to the operating system at once, so `tensorboard --logdir` can follow
// a run; a crash loses at most the record that is being written.

package import Foundation
package import Imaging
internal import Synchronization

/// A TensorBoard event file, open for appending.
package final class EventFile: Sendable {
  /// `events.out.tfevents.SECONDS.HOST.PROCESS` in the folder of the run.
  package let url: URL
  private let file: Mutex<FileHandle>

  /// Creates a new file in an existing folder. TensorBoard reads all files of a folder as one run; where steps repeat,
  /// later files win.
  ///
  /// - Throws: `TelemetryError` when the file cannot be created.
  package init(folder: URL, time: Double = Date().timeIntervalSince1970) throws {
    let process = ProcessInfo.processInfo
    let name = "events.out.tfevents.\(Int(time)).\(process.hostName).\(process.processIdentifier)"
    var url = folder.appendingPathComponent(name)
    var number = 0
    while FileManager.default.fileExists(atPath: url.path) {
      number += 1
      url = folder.appendingPathComponent("\(name).\(number)")
    }
    self.url = url
    do {
      try Data(EventRecord.encoded(.version, step: 0, time: time)).write(to: url, options: .atomic)
      let handle = try FileHandle(forWritingTo: url)
      try handle.seekToEnd()
      file = Mutex(handle)
    } catch {
      throw TelemetryError(url.path, "could not create the event file: \(error.localizedDescription)")
    }
  }

  /// Appends the scalars of one step; TensorBoard groups tags by the part before their slash.
  ///
  /// - Throws: `TelemetryError` when the file cannot be written.
  package func append(step: Int, scalars: [String: Double], time: Double = Date().timeIntervalSince1970) throws {
    let records = scalars.sorted { $0.key < $1.key }.map { tag, value in
      EventRecord.encoded(.scalar(tag: tag, value: Float(value)), step: step, time: time)
    }
    try write(Array(records.joined()))
  }

  /// Appends a picture.
  ///
  /// - Throws: `TelemetryError` when the file cannot be written, `ImagingError` when the PNG cannot be encoded.
  package func append(step: Int, tag: String, image: Image, time: Double = Date().timeIntervalSince1970) throws {
    let png = try image.pngBytes()
    let content = EventContent.image(tag: tag, width: image.width, height: image.height, png: png)
    try write(EventRecord.encoded(content, step: step, time: time))
  }

  private func write(_ bytes: [UInt8]) throws {
    do {
      try file.withLock { try $0.appendWhole(Data(bytes)) }
    } catch {
      throw TelemetryError(url.path, "could not write the event file: \(error.localizedDescription)")
    }
  }
}
