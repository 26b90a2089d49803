// Memory for the C structs of one message while it is packed. Everything that an arena returns lives as long as the
// arena.

internal import CMessages
internal import Engine

final class Arena {
  private var blocks: [UnsafeMutableRawPointer] = []
  private var tensors: [Tensor] = []
  /// The pixels of the message, if the caller keeps them alive while it packs.
  private let pixels: UnsafeRawBufferPointer?

  init(pixels: UnsafeRawBufferPointer? = nil) { self.pixels = pixels }

  deinit { for block in blocks { block.deallocate() } }

  private func block(bytes: Int, alignment: Int) -> UnsafeMutableRawPointer {
    let block = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 1), alignment: alignment)
    blocks.append(block)
    return block
  }

  /// A struct that protobuf-c's own initializer has prepared.
  func make<Struct>(_ initialize: (UnsafeMutablePointer<Struct>?) -> Void) -> UnsafeMutablePointer<Struct> {
    let pointer = block(bytes: MemoryLayout<Struct>.size, alignment: MemoryLayout<Struct>.alignment)
      .bindMemory(to: Struct.self, capacity: 1)
    initialize(pointer)
    return pointer
  }

  /// A copy that ends with a zero. protobuf-c stops at the first zero, so the text is cut at a zero inside it.
  func string(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = Array(text.utf8)
    let pointer = block(bytes: bytes.count + 1, alignment: 1)
    pointer.copyMemory(from: bytes, byteCount: bytes.count)
    pointer.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
    return pointer.bindMemory(to: CChar.self, capacity: bytes.count + 1)
  }

  /// A copy of trivial elements, for a repeated field.
  func array<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
    let pointer = block(
      bytes: elements.count * MemoryLayout<Element>.stride, alignment: MemoryLayout<Element>.alignment
    )
    .bindMemory(to: Element.self, capacity: elements.count)
    pointer.initialize(from: elements, count: elements.count)
    return pointer
  }

  func pointers<Element>(
    _ elements: [UnsafeMutablePointer<Element>]
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<Element>?> {
    array(elements.map { Optional($0) })
  }

  func bytes(_ tensor: Tensor) -> ProtobufCBinaryData {
    tensors.append(tensor)
    return Self.data(UnsafeRawBufferPointer(tensor.unsafeBuffer))
  }

  /// The pixels of images. They are not copied if the caller keeps them alive.
  func bytes(_ images: ImageBatch) -> ProtobufCBinaryData {
    if let pixels, pixels.count == images.pixels.count { return Self.data(pixels) }
    return images.pixels.withUnsafeBytes { bytes($0) }
  }

  private static func data(_ bytes: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
    // protobuf-c only reads the data that it packs.
    let start = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
    return ProtobufCBinaryData(len: bytes.count, data: start)
  }

  func bytes(_ source: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
    let pointer = block(bytes: source.count, alignment: 16)
    if let base = source.baseAddress { pointer.copyMemory(from: base, byteCount: source.count) }
    return ProtobufCBinaryData(len: source.count, data: pointer.assumingMemoryBound(to: UInt8.self))
  }
}
