// protobuf-c reserves whatever a message's bytes ask for, and they may come from anybody. Here it asks an allocator
// that knows how much one message may take in all, and says no beyond that.

internal import CMessages
internal import Engine

#if canImport(Glibc)
  internal import Glibc
#endif

/// Memory for unpacking one message.
struct Budget {
  private(set) var remaining: Int
  private(set) var isExceeded = false
  /// Blocks that come from the memory of tensors, and were not freed by protobuf-c.
  private var elements: Set<UnsafeMutableRawPointer> = []

  /// From here on a block is memory that a tensor can adopt: large fields are elements, and need no second copy.
  static let smallestAdoptable = 4096

  /// - Parameter byteCount: of the encoded message. Structs and pointers take more room than their encoding when fields
  ///   are small, which a mebibyte covers; large messages are nearly all payload, which is copied once.
  init(forMessageOf byteCount: Int) { remaining = (1 << 20) + 2 * byteCount }

  fileprivate mutating func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
    guard size >= 0, size <= remaining else {
      isExceeded = true
      return nil
    }
    remaining -= size
    guard size >= Self.smallestAdoptable else { return malloc(max(size, 1)) }
    let block = TensorMemory.allocate(byteCount: size)
    elements.insert(block)
    return block
  }

  fileprivate mutating func release(_ block: UnsafeMutableRawPointer?) {
    if let block, elements.remove(block) != nil { TensorMemory.deallocate(block) } else { free(block) }
  }

  /// Calls `body` with an allocator that draws on this budget; what it gave must be freed before `body` returns.
  mutating func withAllocator<Result>(
    _ body: (UnsafeMutablePointer<ProtobufCAllocator>) throws -> Result
  ) rethrows -> Result {
    try withUnsafeMutablePointer(to: &self) { budget in
      var allocator = ProtobufCAllocator(
        alloc: { data, size in data?.assumingMemoryBound(to: Budget.self).pointee.reserve(size) },
        free: { data, block in data?.assumingMemoryBound(to: Budget.self).pointee.release(block) },
        allocator_data: UnsafeMutableRawPointer(budget))
      return try withUnsafeMutablePointer(to: &allocator) { try body($0) }
    }
  }
}
