// TensorBoard event files. Every record is handed to the operating system at once, so `tensorboard --logdir` follows a
// run as it goes; a crash costs at most the record being written.

internal import Durable
package import Foundation
package import Imaging
internal import Synchronization

/// A TensorBoard event file, open for appending.
package final class EventFile: Sendable {
  /// Where it is: `events.out.tfevents.SECONDS.HOST.PROCESS` in the run's folder.
  package let url: URL
  private let file: Mutex<OpenFile>

  /// Makes a new file in a folder that exists; TensorBoard reads all files of a folder as one run, later ones over
  /// earlier ones.
  ///
  /// - Throws: `SystemError`.
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
    try Disk.create(EventRecord.encoded(.version, step: 0, time: time), at: url.path)
    file = Mutex(try OpenFile(url.path, .updating))
  }

  /// Appends numbers of one step; a tag with a slash goes to the group before it.
  ///
  /// - Throws: `SystemError` when the disk is full or gone.
  package func append(step: Int, scalars: [String: Double], time: Double = Date().timeIntervalSince1970) throws {
    let records = scalars.sorted { $0.key < $1.key }.map { tag, value in
      EventRecord.encoded(.scalar(tag: tag, value: Float(value)), step: step, time: time)
    }
    try write(Array(records.joined()))
  }

  /// Appends a picture.
  ///
  /// - Throws: `SystemError` when the disk is full or gone, `ImagingError` when the PNG cannot be made.
  package func append(step: Int, tag: String, image: Image, time: Double = Date().timeIntervalSince1970) throws {
    let png = try image.pngBytes()
    let content = EventContent.image(tag: tag, width: image.width, height: image.height, png: png)
    try write(EventRecord.encoded(content, step: step, time: time))
  }

  private func write(_ bytes: [UInt8]) throws {
    try file.withLock { try $0.append(bytes) }
  }
}
