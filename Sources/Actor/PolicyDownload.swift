// The download of a policy in chunks. The policy is accepted only if its SHA-256 matches. A pure value. The bytes are
// in memory once: the memory is allocated at the first chunk, the digest is computed chunk by chunk, and the bytes are
// passed on without a copy.

internal import Messages

struct PolicyDownload: Sendable {
  /// The largest accepted size of a policy. A larger one is refused before memory is allocated.
  static let largestByteCount = 8 << 30

  let version: Int
  private var bytes: [UInt8] = []
  private var hash = SHA256()
  private var total: Int?
  private var digest: String?

  init(version: Int) { self.version = version }

  /// The offset of the next chunk.
  var offset: Int { bytes.count }

  /// Appends a chunk. A chunk that does not start at `offset` is ignored.
  ///
  /// - Returns: The policy when it is complete and its digest matches.
  /// - Throws: `ActorError` if chunks contradict each other, or if the digest does not match.
  mutating func take(_ chunk: PolicyChunk) throws -> (bytes: [UInt8], digest: String)? {
    guard chunk.version == version, chunk.offset == bytes.count else { return nil }
    guard chunk.total <= Self.largestByteCount else {
      throw ActorError("policy \(version): expected at most \(Self.largestByteCount) bytes, found \(chunk.total)")
    }
    guard total == nil || total == chunk.total, digest == nil || digest == chunk.digest else {
      throw ActorError(
        "policy \(version): received chunks of two different policies of this version. Two learners seem to share the "
          + "endpoint; stop one of them.")
    }
    if total == nil { bytes.reserveCapacity(chunk.total) }
    total = chunk.total
    digest = chunk.digest
    bytes += chunk.bytes
    hash.update(chunk.bytes)
    guard bytes.count >= chunk.total else { return nil }
    let found = hash.digest()
    guard found == chunk.digest else {
      throw ActorError("policy \(version): expected SHA-256 \(chunk.digest), found \(found); it was damaged in transit")
    }
    let whole = bytes
    bytes = []
    return (whole, found)
  }
}
