// Writing safetensors: the same tensors give the same bytes, whatever the order they were added in; a file appears
// under its name only when it is complete and on disk.

internal import Basics
internal import Durable
package import Engine
package import Foundation

package struct SafetensorsWriter {
  package enum Precision: Sendable {
    case float32
    /// Rounded to the nearest float16; values beyond 65,504 become infinite.
    case float16
  }

  private enum Content {
    case floats(Tensor, Precision)
    case integers([Int])
  }
  private struct Item {
    let name: String
    let shape: [Int]
    let content: Content

    var type: SafetensorsType {
      switch content {
      case .floats(_, .float32): .float32
      case .floats(_, .float16): .float16
      case .integers: .int64
      }
    }
    var byteCount: Int { shape.product * type.width }
  }

  private let metadata: [String: String]
  private var items: [String: Item] = [:]

  /// - Parameter metadata: written as the header's `__metadata__`.
  package init(metadata: [String: String] = ["format": "pt"]) { self.metadata = metadata }

  /// Adds a tensor; a name must be added once only.
  package mutating func add(_ name: String, _ tensor: Tensor, as precision: Precision = .float32) {
    add(Item(name: name, shape: tensor.shape, content: .floats(tensor.detached, precision)))
  }

  /// Adds integers, stored as I64; their number must be that of the shape.
  package mutating func add(_ name: String, integers: [Int], shape: [Int]) {
    check(integers.count == shape.product, "safetensors: \(integers.count) integers do not fill \(name) \(shape)")
    add(Item(name: name, shape: shape, content: .integers(integers)))
  }

  private mutating func add(_ item: Item) {
    check(items[item.name] == nil && item.name != "__metadata__", "safetensors: the name \(item.name) is taken")
    items[item.name] = item
  }

  package func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(items.values.reduce(1024) { $0 + $1.byteCount })
    emit { bytes.append(contentsOf: $0) }
    return bytes
  }

  /// Writes the file in one step.
  ///
  /// - Throws: `SystemError`; the target is unchanged then.
  package func write(to url: URL) throws { try Disk.writeWhole(to: url.path) { try emit($0) } }

  /// Widest types first, then by name, as the reference implementation orders them: every tensor is aligned.
  private func emit(_ sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    let order = items.values.sorted { ($1.type.width, $0.name) < ($0.type.width, $1.name) }
    var entries: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\($0.key.jsonQuoted):\($0.value.jsonQuoted)" }
      entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for item in order {
      let shape = item.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(item.name.jsonQuoted):{\"dtype\":\"\(item.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(offset + item.byteCount)]}")
      offset += item.byteCount
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try sink($0) }
    try header.withUnsafeBytes { try sink($0) }
    for item in order { try Self.emit(item.content, sink) }
  }

  private static func emit(_ content: Content, _ sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    switch content {
    case .floats(let tensor, .float32): try tensor.withUnsafeBuffer { try sink(UnsafeRawBufferPointer($0)) }
    case .floats(let tensor, .float16):
      try tensor.withUnsafeBuffer { $0.map { Float16($0) } }.withUnsafeBytes { try sink($0) }
    case .integers(let values): try values.map { Int64($0).littleEndian }.withUnsafeBytes { try sink($0) }
    }
  }
}
