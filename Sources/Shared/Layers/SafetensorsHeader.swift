// The header of a safetensors file, checked against the bytes that follow it before anything is read: every offset lies
// within the file, no two tensors overlap, no byte is unaccounted for, and sizes are those of dtype and shape.
// Format: eight bytes of header length (little-endian), JSON, then the tensors back to back.

internal import Foundation

/// What is wrong with a safetensors file, in words: the file, the tensor, what was expected and what was found.
package struct SafetensorsError: Error, CustomStringConvertible, Equatable {
  package let description: String

  init(_ file: String, _ problem: String) { description = "\(file): \(problem)" }
}

/// Element types of the format.
enum SafetensorsType: String {
  case bool = "BOOL", uint8 = "U8", int8 = "I8", float8E5M2 = "F8_E5M2", float8E4M3 = "F8_E4M3"
  case int16 = "I16", uint16 = "U16", float16 = "F16", bfloat16 = "BF16"
  case int32 = "I32", uint32 = "U32", float32 = "F32"
  case int64 = "I64", uint64 = "U64", float64 = "F64"

  /// Bytes of one element.
  var width: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }
}

/// The checked table of contents of one file.
struct SafetensorsHeader {
  struct Entry {
    let type: SafetensorsType
    let shape: [Int]
    /// Bytes of the tensor, counted from the beginning of the file.
    let bytes: Range<Int>
  }

  let entries: [String: Entry]
  let metadata: [String: String]

  /// The reference implementation's bound on the length of the JSON part.
  private static let longest = 100_000_000

  /// Reads and checks the header of a whole file's bytes; `file` names it in errors.
  init(of bytes: UnsafeRawBufferPointer, file: String) throws {
    guard bytes.count >= 8 else {
      throw SafetensorsError(
        file, "expected a safetensors file of at least 8 bytes, found \(bytes.count) bytes; copy the file again")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Self.longest), length <= UInt64(bytes.count - 8) else {
      throw SafetensorsError(
        file,
        "the header claims \(length) bytes, but the file has \(bytes.count - 8) after the length "
          + "(and a header may have at most \(Self.longest)); the file is cut short or no safetensors file")
    }
    let start = 8 + Int(length)
    let raw: RawHeader
    do {
      raw = try JSONDecoder().decode(RawHeader.self, from: Data(bytes[8..<start]))
    } catch {
      throw SafetensorsError(file, "the header is not the JSON that safetensors prescribes: \(error)")
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
      throw SafetensorsError(file, "tensor \(name) has the dtype \(raw.dtype), which safetensors does not define")
    }
    var expected = type.width
    for extent in raw.shape {
      let (product, overflow) = expected.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else {
        throw SafetensorsError(file, "tensor \(name) has the impossible shape \(raw.shape)")
      }
      expected = product
    }
    let offsets = raw.data_offsets
    guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= size - start else {
      throw SafetensorsError(
        file, "tensor \(name) lies at bytes \(offsets) of \(size - start) bytes of data; the file is cut short or broken")
    }
    guard offsets[1] - offsets[0] == expected else {
      throw SafetensorsError(
        file,
        "tensor \(name), \(raw.dtype) \(raw.shape), needs \(expected) bytes, found \(offsets[1] - offsets[0])")
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
          "tensor \(name) begins at byte \(entry.bytes.lowerBound - start) of the data, expected \(end - start): "
            + "tensors overlap or leave a hole")
      }
      end = entry.bytes.upperBound
    }
    guard end == size else {
      throw SafetensorsError(
        file, "the tensors end at byte \(end), the file at \(size); expected the file to end with its last tensor")
    }
  }
}

/// The header as it is written, before any check.
private struct RawHeader: Decodable {
  struct Tensor: Decodable {
    let dtype: String
    let shape: [Int]
    // The format's own spelling.
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
