// The Event message of TensorBoard (tensorflow/core/util/event.proto) as protobuf bytes in a TFRecord: length, masked
// CRC-32C of the length, data, masked CRC-32C of the data.

internal import Durable

enum EventContent {
  case version
  case scalar(tag: String, value: Float)
  case image(tag: String, width: Int, height: Int, png: [UInt8])
}

enum EventRecord {
  static func encoded(_ content: EventContent, step: Int, time: Double) -> [UInt8] {
    var event = ProtobufWriter()
    event.fixed64(1, time.bitPattern)
    event.integer(2, UInt64(bitPattern: Int64(step)))
    switch content {
    case .version:
      event.bytes(3, Array("brain.Event:2".utf8))
    case .scalar(let tag, let value):
      var item = ProtobufWriter()
      item.bytes(1, Array(tag.utf8))
      item.fixed32(2, value.bitPattern)
      event.bytes(5, summary(item))
    case .image(let tag, let width, let height, let png):
      var image = ProtobufWriter()
      image.integer(1, UInt64(height))
      image.integer(2, UInt64(width))
      image.integer(3, 3)  // colour space: RGB
      image.bytes(4, png)
      var item = ProtobufWriter()
      item.bytes(1, Array(tag.utf8))
      item.bytes(4, image.written)
      event.bytes(5, summary(item))
    }
    return record(event.written)
  }

  private static func summary(_ value: ProtobufWriter) -> [UInt8] {
    var summary = ProtobufWriter()
    summary.bytes(1, value.written)
    return summary.written
  }

  private static func record(_ data: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(data.count))
    return length + littleEndian(maskedChecksum(length)) + data + littleEndian(maskedChecksum(data))
  }

  /// TFRecord's mask keeps the checksum good for data that itself holds checksums.
  private static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
    let sum = CRC32C.checksum(bytes)
    return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
  }
}

func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// Encodes the fields of a protobuf message in the order in which they are added.
struct ProtobufWriter {
  private(set) var written: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      written.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    written.append(UInt8(rest))
  }

  mutating func integer(_ field: UInt64, _ value: UInt64) {
    varint(field << 3)
    varint(value)
  }

  mutating func fixed64(_ field: UInt64, _ bits: UInt64) {
    varint(field << 3 | 1)
    written += littleEndian(bits)
  }

  mutating func fixed32(_ field: UInt64, _ bits: UInt32) {
    varint(field << 3 | 5)
    written += littleEndian(bits)
  }

  mutating func bytes(_ field: UInt64, _ content: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(content.count))
    written += content
  }
}
