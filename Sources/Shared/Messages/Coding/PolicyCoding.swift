// Conversion of policies and their notices to and from the structs of protobuf-c.

internal import CMessages

extension FieldPath {
  /// 64 hexadecimal digits.
  func digest(_ pointer: UnsafeMutablePointer<CChar>?) throws -> String {
    let digest = try text(pointer, "digest")
    try require(
      digest.utf8.count == 64 && digest.allSatisfy { "0123456789abcdef".contains($0) }, "digest",
      "expected 64 hexadecimal digits of a SHA-256, found \(digest.debugDescription)")
    return digest
  }
}

extension PolicyNotice: Coded {
  init(_ message: Stepwise__PolicyNotice, _ path: FieldPath) throws {
    self.init(
      version: try path.number(message.version, "version"), digest: try path.digest(message.digest),
      tensorCount: try path.number(message.tensor_count, "tensor_count"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__PolicyNotice> {
    let message = arena.make(stepwise__policy_notice__init)
    message.pointee.version = UInt64(version)
    message.pointee.digest = arena.string(digest)
    message.pointee.tensor_count = UInt32(tensorCount)
    return message
  }
}

extension PolicyRequest: Coded {
  init(_ message: Stepwise__PolicyRequest, _ path: FieldPath) throws {
    self.init(
      version: try path.number(message.version, "version"), offset: try path.number(message.offset, "offset"),
      byteCount: try path.number(message.byte_count, "byte_count"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__PolicyRequest> {
    let message = arena.make(stepwise__policy_request__init)
    message.pointee.version = UInt64(version)
    message.pointee.offset = UInt64(offset)
    message.pointee.byte_count = UInt64(byteCount)
    return message
  }
}

extension PolicyChunk: Coded {
  init(_ message: Stepwise__PolicyChunk, _ path: FieldPath) throws {
    let offset = try path.number(message.offset, "offset")
    let total = try path.number(message.total, "total")
    // Both are below 2^54, so the sum is exact.
    try path.require(
      offset + message.bytes.len <= total, "bytes",
      "expected bytes within a total of \(total), found \(message.bytes.len) at offset \(offset)")
    self.init(
      version: try path.number(message.version, "version"), offset: offset,
      bytes: Array(UnsafeBufferPointer(start: message.bytes.data, count: message.bytes.len)), total: total,
      digest: try path.digest(message.digest))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__PolicyChunk> {
    let message = arena.make(stepwise__policy_chunk__init)
    message.pointee.version = UInt64(version)
    message.pointee.offset = UInt64(offset)
    message.pointee.bytes = bytes.withUnsafeBytes { arena.bytes($0) }
    message.pointee.total = UInt64(total)
    message.pointee.digest = arena.string(digest)
    return message
  }
}
