// Reads safetensors files: a file is mapped, its header is checked completely (SafetensorsHeader), and tensors are
// copied on demand, float16 and bfloat16 as float32. A sharded checkpoint (`*.safetensors.index.json`) is read like one
// file.

package import Engine
package import Foundation

package final class SafetensorsFile: Sendable {
  /// The path or name for error messages.
  package let path: String
  /// Sorted.
  package let names: [String]
  /// The `__metadata__` of the header (of the first of several shards).
  package let metadata: [String: String]
  private let places: [String: (shard: SafetensorsBytes, entry: SafetensorsHeader.Entry)]

  /// Opens and checks a `.safetensors` file, or all shards that a `.safetensors.index.json` names.
  ///
  /// - Throws: `SafetensorsError` when a file is missing, truncated or invalid, or lacks a tensor of the index.
  package convenience init(_ url: URL) throws {
    if url.path.hasSuffix(".json") {
      try self.init(index: url)
    } else {
      try self.init(path: url.path, shards: [SafetensorsBytes(mapping: url.path)])
    }
  }

  /// Checks the bytes of a whole file, such as a policy from a message; `name` replaces the path in errors.
  package convenience init(bytes: [UInt8], name: String) throws {
    try self.init(path: name, shards: [SafetensorsBytes(copying: bytes, name: name)])
  }

  /// Opens `NAME.safetensors`, `NAME.safetensors.index.json`, `NAME.fp16.safetensors` or
  /// `NAME.safetensors.index.fp16.json` in a folder, whichever exists first in this order.
  package convenience init(folder: URL, named name: String) throws {
    let candidates = [
      "\(name).safetensors", "\(name).safetensors.index.json", "\(name).fp16.safetensors",
      "\(name).safetensors.index.fp16.json",
    ]
    let found = candidates.map { folder.appendingPathComponent($0) }
      .first { FileManager.default.fileExists(atPath: $0.path) }
    guard let found else {
      throw SafetensorsError(
        folder.path,
        "there is no \(candidates.joined(separator: " or ")); "
          + "download the safetensors files of the model (pickled .bin files are not supported)")
    }
    try self.init(found)
  }

  private init(path: String, shards: [SafetensorsBytes]) throws {
    self.path = path
    var places: [String: (shard: SafetensorsBytes, entry: SafetensorsHeader.Entry)] = [:]
    var metadata: [String: String] = [:]
    for (number, shard) in shards.enumerated() {
      let header = try SafetensorsHeader(of: shard.bytes, file: shard.name)
      if number == 0 { metadata = header.metadata }
      for (name, entry) in header.entries {
        guard places.updateValue((shard, entry), forKey: name) == nil else {
          throw SafetensorsError(path, "tensor \(name) is in two shards; download the files again")
        }
      }
    }
    self.places = places
    self.metadata = metadata
    names = places.keys.sorted()
  }

  private struct Index: Decodable {
    // The name in the format.
    let weight_map: [String: String]
  }

  private convenience init(index url: URL) throws {
    guard let data = try? Data(contentsOf: url), let index = try? JSONDecoder().decode(Index.self, from: data) else {
      throw SafetensorsError(
        url.path, "could not read a JSON object with weight_map, which maps tensor names to files; download it again")
    }
    let files = Set(index.weight_map.values).sorted()
    let folder = url.deletingLastPathComponent()
    for file in files where file.contains("/") || !file.hasSuffix(".safetensors") {
      throw SafetensorsError(
        url.path, "the shard \(file) in weight_map must be the name of a .safetensors file in the same folder")
    }
    try self.init(
      path: url.path, shards: files.map { try SafetensorsBytes(mapping: folder.appendingPathComponent($0).path) })
    for (name, file) in index.weight_map where places[name]?.shard.name.hasSuffix("/" + file) != true {
      throw SafetensorsError(url.path, "tensor \(name) is missing in the shard \(file); download the files again")
    }
  }

  package func shape(of name: String) -> [Int]? { places[name]?.entry.shape }

  /// A tensor of type F32, F16, BF16 or F64, converted to float32, in its stored shape.
  package func tensor(_ name: String) throws -> Tensor {
    let (shard, entry) = try place(name)
    let source = UnsafeRawBufferPointer(rebasing: shard.bytes[entry.bytes])
    guard [.float32, .float16, .bfloat16, .float64].contains(entry.type) else {
      throw SafetensorsError(
        path, "tensor \(name): expected type F32, F16, BF16 or F64, found \(entry.type.rawValue)")
    }
    return withExtendedLifetime(shard) {
      Tensor(shape: entry.shape) { target in
        switch entry.type {
        case .float16: widenFloat16(source, target)
        case .bfloat16: widenBfloat16(source, target)
        case .float64:
          for index in 0..<target.count {
            target[index] = Float(source.loadUnaligned(fromByteOffset: index &* 8, as: Double.self))
          }
        default: UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
        }
      }
    }
  }

  /// The integers of a tensor of a type that fits `Int`, or of BOOL, in row-major order.
  package func integers(_ name: String) throws -> [Int] {
    let (shard, entry) = try place(name)
    let source = UnsafeRawBufferPointer(rebasing: shard.bytes[entry.bytes])
    return try withExtendedLifetime(shard) {
      switch entry.type {
      case .int64: loaded(source, Int64.self)
      case .int32: loaded(source, Int32.self)
      case .uint32: loaded(source, UInt32.self)
      case .int16: loaded(source, Int16.self)
      case .uint16: loaded(source, UInt16.self)
      case .int8: loaded(source, Int8.self)
      case .uint8, .bool: loaded(source, UInt8.self)
      default:
        throw SafetensorsError(
          path,
          "tensor \(name): expected type I64, I32, U32, I16, U16, I8, U8 or BOOL, found \(entry.type.rawValue)")
      }
    }
  }

  private func place(_ name: String) throws -> (shard: SafetensorsBytes, entry: SafetensorsHeader.Entry) {
    guard let place = places[name] else {
      throw SafetensorsError(path, "the tensor \(name) is missing; the file has \(names.count) others")
    }
    return place
  }
}

private func loaded<Value: FixedWidthInteger>(_ source: UnsafeRawBufferPointer, _: Value.Type) -> [Int] {
  let width = MemoryLayout<Value>.size
  return (0..<source.count / width).map {
    Int(Value(littleEndian: source.loadUnaligned(fromByteOffset: $0 * width, as: Value.self)))
  }
}

/// Exact for all values, with subnormals and infinities: the shifted bits, read as float32, are the value times 2^-112,
/// because the exponent biases are 15 and 127.
private func widenFloat16(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableBufferPointer<Float>) {
  let scale = Float(sign: .plus, exponent: 112, significand: 1)
  for index in 0..<target.count {
    let half = UInt32(source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    let magnitude = Float(bitPattern: (half & 0x7FFF) << 13) * scale
    let special: UInt32 = (half & 0x7C00) == 0x7C00 ? 0x7F80_0000 : 0
    target[index] = Float(bitPattern: magnitude.bitPattern | special | (half & 0x8000) << 16)
  }
}

private func widenBfloat16(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableBufferPointer<Float>) {
  for index in 0..<target.count {
    let bits = UInt32(source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    target[index] = Float(bitPattern: bits << 16)
  }
}

/// The bytes of one file, mapped or copied. They are immutable, and are freed with the last reference.
final class SafetensorsBytes: @unchecked Sendable {  // the memory is never written after init
  let name: String
  let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  init(copying source: [UInt8], name: String) {
    self.name = name
    isMapped = false
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 64)
    copy.copyBytes(from: source)
    bytes = UnsafeRawBufferPointer(copy)
  }

  init(mapping path: String) throws {
    name = path
    isMapped = true
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw SafetensorsError(path, "could not open the safetensors file: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size >= 8 else {
      throw SafetensorsError(
        path,
        "expected a regular file of at least 8 bytes, found \(status.st_size) bytes or another kind of file; "
          + "download it again")
    }
    let memory = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let memory, memory != MAP_FAILED else {
      throw SafetensorsError(path, "could not map the file into memory: \(String(cString: strerror(errno)))")
    }
    bytes = UnsafeRawBufferPointer(start: memory, count: Int(status.st_size))
  }

  deinit {
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    } else {
      bytes.deallocate()
    }
  }
}
