// protobuf-c allocates as much memory as the bytes of a message demand, and the bytes may come from any peer. The
// allocator in this file limits the memory of one message.

internal import CMessages
internal import Engine

#if canImport(Glibc)
  internal import Glibc
#endif

struct Budget {
  private(set) var remaining: Int
  private(set) var isExceeded = false
  /// Blocks of tensor memory that protobuf-c has not freed.
  private var elements: Set<UnsafeMutableRawPointer> = []

  /// Blocks of at least this size are tensor memory, so that a tensor can adopt the elements without a second copy.
  static let smallestAdoptable = 4096

  /// - Parameter byteCount: Size of the encoded message. Structs and pointers of small fields take more memory than
  ///   their encoding, which a mebibyte covers. Large messages are almost all payload, which is copied once.
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

  /// Calls `body` with an allocator that draws on this budget. `body` must free all of its memory before it returns.
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
