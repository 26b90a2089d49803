// PNG and JPEG, in memory and on disk. A file appears under its name only when it is complete. JPEG bytes equal those
// of Pillow with the same quality and the same libjpeg-turbo.

internal import CImaging
internal import Durable
package import Foundation

extension Image {
  /// Reads a PNG or JPEG file, recognized by its first bytes; transparency is composited on white.
  package init(contentsOf url: URL) throws {
    let data: Data
    do {
      data = try Data(contentsOf: url)
    } catch {
      throw ImagingError(url.path, "could not read the picture: \(error.localizedDescription)")
    }
    try self.init(encoded: [UInt8](data), name: url.path)
  }

  /// Decodes PNG or JPEG bytes of at most 2^28 pixels; `name` replaces the path in errors.
  package init(encoded bytes: [UInt8], name: String) throws {
    let decode: Decoder
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      decode = sw_png_decode
    } else if bytes.starts(with: [0xFF, 0xD8]) {
      decode = sw_jpeg_decode
    } else {
      throw ImagingError(name, "the \(bytes.count) bytes are neither a PNG nor a JPEG picture")
    }
    var pixels: UnsafeMutablePointer<UInt8>?
    var width: Int32 = 0, height: Int32 = 0
    try withMessage(name, "could not decode the picture") {
      decode(bytes, bytes.count, &pixels, &width, &height, $0)
    }
    defer { free(pixels) }
    let count = Int(width) * Int(height) * 3
    self.init(
      width: Int(width), height: Int(height), pixels: [UInt8](UnsafeBufferPointer(start: pixels, count: count)))
  }

  private typealias Decoder = (
    UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, UnsafeMutablePointer<Int32>?,
    UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<CChar>?
  ) -> Int32

  package func pngBytes() throws -> [UInt8] {
    try encoded("PNG") { bytes, count, message in
      sw_png_encode(pixels, Int32(width), Int32(height), &bytes, &count, message)
    }
  }

  /// The bytes of a JPEG file with 4:2:0 subsampling, as `save(..., quality=quality)` of Pillow writes it. The quality
  /// is 1 to 100, and no side may be longer than 65,500 pixels.
  package func jpegBytes(quality: Int = 95) throws -> [UInt8] {
    try encoded("JPEG") { bytes, count, message in
      sw_jpeg_encode(pixels, Int32(width), Int32(height), Int32(quality), &bytes, &count, message)
    }
  }

  private func encoded(
    _ format: String,
    _ encode: (inout UnsafeMutablePointer<UInt8>?, inout Int, UnsafeMutablePointer<CChar>) -> Int32
  ) throws -> [UInt8] {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    try withMessage("a picture of \(width) x \(height) pixels", "could not encode it as \(format)") {
      encode(&bytes, &count, $0)
    }
    defer { free(bytes) }
    return [UInt8](UnsafeBufferPointer(start: bytes, count: count))
  }

  package func writePNG(to url: URL) throws { try Disk.writeWhole(pngBytes(), to: url.path) }
}

/// Calls a C function that returns 0 or writes a message, and throws the message.
func withMessage(_ place: String, _ expectation: String, _ body: (UnsafeMutablePointer<CChar>) -> Int32) throws {
  let size = Int(SW_MESSAGE_SIZE)
  let message = try withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer throws -> String? in
    buffer.initialize(repeating: 0)
    return body(buffer.baseAddress!) == 0 ? nil : String(cString: buffer.baseAddress!)
  }
  if let message { throw ImagingError(place, "\(expectation): \(message)") }
}
