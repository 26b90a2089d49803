// The header of a safetensors file, checked against the size of the file before a tensor is read: all offsets are
// within the file, tensors do not overlap and leave no gaps, and their sizes match dtype and shape. The format: eight
// bytes with the length of the header (little-endian), the header in JSON, and the tensors without gaps.

internal import Foundation

/// A safetensors file that cannot be used; the description names the file and the tensor.
package struct SafetensorsError: Error, CustomStringConvertible, Equatable {
  package let description: String

  init(_ file: String, _ problem: String) { description = "\(file): \(problem)" }
}

enum SafetensorsType: String {
  case bool = "BOOL", uint8 = "U8", int8 = "I8", float8E5M2 = "F8_E5M2", float8E4M3 = "F8_E4M3"
  case int16 = "I16", uint16 = "U16", float16 = "F16", bfloat16 = "BF16"
  case int32 = "I32", uint32 = "U32", float32 = "F32"
  case int64 = "I64", uint64 = "U64", float64 = "F64"

  /// The size of one element in bytes.
  var width: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }
}

struct SafetensorsHeader {
  struct Entry {
    let type: SafetensorsType
    let shape: [Int]
    /// The range of the bytes of the tensor, from the beginning of the file.
    let bytes: Range<Int>
  }

  let entries: [String: Entry]
  let metadata: [String: String]

  /// The largest length of the JSON part that the reference implementation accepts, in bytes.
  private static let longest = 100_000_000

  /// Reads and checks the header of a file, given all of its bytes; `file` is its name in errors.
  init(of bytes: UnsafeRawBufferPointer, file: String) throws {
    guard bytes.count >= 8 else {
      throw SafetensorsError(
        file, "expected a safetensors file of at least 8 bytes, found \(bytes.count); copy the file again")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Self.longest), length <= UInt64(bytes.count - 8) else {
      throw SafetensorsError(
        file,
        "the header claims \(length) bytes, but \(bytes.count - 8) bytes follow (and at most \(Self.longest) are "
          + "allowed); the file is cut short or is not a safetensors file")
    }
    let start = 8 + Int(length)
    let raw: RawHeader
    do {
      raw = try JSONDecoder().decode(RawHeader.self, from: Data(bytes[8..<start]))
    } catch {
      throw SafetensorsError(file, "the header is not valid JSON of the safetensors format: \(error)")
    }
    metadata = raw.metadata
    var entries: [String: Entry] = [:]
    for (name, tensor) in raw.tensors {
      entries[name] = try Self.entry(name, tensor, dataFrom: start, size: bytes.count, file: file)
    }
    try Self.checkContiguous(entries, from: start, size: bytes.count, file: file)
    self.entries = entries
  }

  private static func entry(
    _ name: String, _ raw: RawHeader.Tensor, dataFrom start: Int, size: Int, file: String
  ) throws -> Entry {
    guard let type = SafetensorsType(rawValue: raw.dtype) else {
      throw SafetensorsError(file, "tensor \(name) has the unknown dtype \(raw.dtype)")
    }
    var expected = type.width
    for extent in raw.shape {
      let (product, overflow) = expected.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else {
        throw SafetensorsError(file, "tensor \(name) has the invalid shape \(raw.shape)")
      }
      expected = product
    }
    let offsets = raw.data_offsets
    guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= size - start else {
      throw SafetensorsError(
        file,
        "tensor \(name) has the offsets \(offsets) in \(size - start) bytes of data; the file is cut short or damaged")
    }
    guard offsets[1] - offsets[0] == expected else {
      throw SafetensorsError(
        file,
        "tensor \(name), \(raw.dtype) \(raw.shape): expected \(expected) bytes, found \(offsets[1] - offsets[0])")
    }
    return Entry(type: type, shape: raw.shape, bytes: start + offsets[0]..<start + offsets[1])
  }

  private static func checkContiguous(_ entries: [String: Entry], from start: Int, size: Int, file: String) throws {
    var end = start
    func place(_ entry: Entry) -> (Int, Int) { (entry.bytes.lowerBound, entry.bytes.upperBound) }
    for (name, entry) in entries.sorted(by: { place($0.value) < place($1.value) }) {
      guard entry.bytes.lowerBound == end else {
        throw SafetensorsError(
          file,
          "tensor \(name): expected to begin at byte \(end - start) of the data, found "
            + "\(entry.bytes.lowerBound - start): tensors overlap or leave a gap")
      }
      end = entry.bytes.upperBound
    }
    guard end == size else {
      throw SafetensorsError(
        file, "the last tensor ends at byte \(end), but the file has \(size) bytes")
    }
  }
}

/// The header as written in the file, before any check.
private struct RawHeader: Decodable {
  struct Tensor: Decodable {
    let dtype: String
    let shape: [Int]
    // The name in the format.
    let data_offsets: [Int]
  }
  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var tensors: [String: Tensor] = [:]
  var metadata: [String: String] = [:]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for key in container.allKeys {
      if key.stringValue == "__metadata__" {
        metadata = try container.decode([String: String].self, forKey: key)
      } else {
        tensors[key.stringValue] = try container.decode(Tensor.self, forKey: key)
      }
    }
  }
}
