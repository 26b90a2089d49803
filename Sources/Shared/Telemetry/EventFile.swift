// TensorBoard event files. Every record is passed to the operating system at once, so `tensorboard --logdir` can follow
// a run; a crash loses at most the record that is being written.

internal import Durable
package import Foundation
package import Imaging
internal import Synchronization

package final class EventFile: Sendable {
  /// `events.out.tfevents.SECONDS.HOST.PROCESS` in the folder of the run.
  package let url: URL
  private let file: Mutex<OpenFile>

  /// Creates a new file in an existing folder. TensorBoard reads all files of a folder as one run; where steps repeat,
  /// later files win.
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

  /// Appends the scalars of one step; TensorBoard groups tags by the part before their slash.
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
