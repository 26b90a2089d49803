// How a policy travels: a small notice, and the weights (the bytes of a safetensors file) by request in chunks, proven
// by their digest.

internal import CMessages

/// A policy exists: its version, and what its bytes must prove to be.
package struct PolicyNotice: Sendable, Equatable {
  /// Epochs trained; 0 is the untrained policy.
  package var version: Int
  /// SHA-256 of all bytes, 64 lower-case hexadecimal digits.
  package var digest: String
  /// Bytes of the safetensors file.
  package var byteCount: Int
  /// Tensors in the file, all of which must be bound.
  package var tensorCount: Int

  /// A notice of bytes that are elsewhere.
  package init(version: Int, digest: String, byteCount: Int, tensorCount: Int) {
    self.version = version
    self.digest = digest
    self.byteCount = byteCount
    self.tensorCount = tensorCount
  }

  /// The notice of these bytes.
  package init(version: Int, bytes: [UInt8], tensorCount: Int) {
    self.init(version: version, digest: SHA256.digest(of: bytes), byteCount: bytes.count, tensorCount: tensorCount)
  }
}

/// Asks for a part of a policy's bytes.
package struct PolicyRequest: Sendable, Equatable {
  /// Which policy.
  package var version: Int
  /// The first byte wanted.
  package var offset: Int
  /// At most this many; the learner may send fewer.
  package var byteCount: Int

  /// A request for bytes from `offset` on.
  package init(version: Int, offset: Int, byteCount: Int) {
    self.version = version
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// A part of a policy's bytes.
package struct PolicyChunk: Sendable, Equatable {
  /// Which policy.
  package var version: Int
  /// Place of the first byte in the whole.
  package var offset: Int
  /// The part.
  package var bytes: [UInt8]
  /// Bytes of the whole policy.
  package var total: Int
  /// SHA-256 of the whole policy, as in its notice.
  package var digest: String

  /// A part of a whole of `total` bytes.
  package init(version: Int, offset: Int, bytes: [UInt8], total: Int, digest: String) {
    self.version = version
    self.offset = offset
    self.bytes = bytes
    self.total = total
    self.digest = digest
  }
}

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
  init(_ message: Stepwise__V1__PolicyNotice, _ place: FieldPath) throws {
    self.init(
      version: try place.number(message.version, "version"), digest: try place.digest(message.digest),
      byteCount: try place.number(message.byte_count, "byte_count"),
      tensorCount: try place.number(message.tensor_count, "tensor_count"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__PolicyNotice> {
    let message = arena.make(stepwise__v1__policy_notice__init)
    message.pointee.version = UInt64(version)
    message.pointee.digest = arena.string(digest)
    message.pointee.byte_count = UInt64(byteCount)
    message.pointee.tensor_count = UInt32(tensorCount)
    return message
  }
}

extension PolicyRequest: Coded {
  init(_ message: Stepwise__V1__PolicyRequest, _ place: FieldPath) throws {
    self.init(
      version: try place.number(message.version, "version"), offset: try place.number(message.offset, "offset"),
      byteCount: try place.number(message.byte_count, "byte_count"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__PolicyRequest> {
    let message = arena.make(stepwise__v1__policy_request__init)
    message.pointee.version = UInt64(version)
    message.pointee.offset = UInt64(offset)
    message.pointee.byte_count = UInt64(byteCount)
    return message
  }
}

extension PolicyChunk: Coded {
  init(_ message: Stepwise__V1__PolicyChunk, _ place: FieldPath) throws {
    let offset = try place.number(message.offset, "offset")
    let total = try place.number(message.total, "total")
    // Both are below 2^54, so the sum is exact.
    try place.require(
      offset + message.bytes.len <= total, "bytes",
      "expected bytes within a total of \(total), found \(message.bytes.len) at offset \(offset)")
    self.init(
      version: try place.number(message.version, "version"), offset: offset,
      bytes: Array(UnsafeBufferPointer(start: message.bytes.data, count: message.bytes.len)), total: total,
      digest: try place.digest(message.digest))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__PolicyChunk> {
    let message = arena.make(stepwise__v1__policy_chunk__init)
    message.pointee.version = UInt64(version)
    message.pointee.offset = UInt64(offset)
    message.pointee.bytes = bytes.withUnsafeBytes { arena.bytes($0) }
    message.pointee.total = UInt64(total)
    message.pointee.digest = arena.string(digest)
    return message
  }
}
