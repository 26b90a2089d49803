// A policy arrives in chunks and is believed only when its SHA-256 agrees. A pure value. However large, it is in memory
// once: its room is reserved at the first chunk, its digest computed as it comes, and its bytes handed on, not copied.

internal import Messages

/// One policy on its way here.
struct PolicyDownload: Sendable {
  /// Bytes that more than doubtfully belong to a policy; the notice of a larger one is refused before memory is taken.
  static let largestByteCount = 8 << 30

  let version: Int
  private var bytes: [UInt8] = []
  private var hash = SHA256()
  private var total: Int?
  private var digest: String?

  init(version: Int) { self.version = version }

  /// Where the next chunk begins.
  var offset: Int { bytes.count }

  /// Takes a chunk in; one that does not continue what is here is ignored.
  ///
  /// - Returns: the whole policy once it is complete and proven.
  /// - Throws: `ActorError` when chunks contradict each other, or the digest is wrong.
  mutating func take(_ chunk: PolicyChunk) throws -> (bytes: [UInt8], digest: String)? {
    guard chunk.version == version, chunk.offset == bytes.count else { return nil }
    guard chunk.total <= Self.largestByteCount else {
      throw ActorError("policy \(version): expected at most \(Self.largestByteCount) bytes, found \(chunk.total).")
    }
    guard total == nil || total == chunk.total, digest == nil || digest == chunk.digest else {
      throw ActorError(
        "policy \(version): chunks of two different policies came under one version. Two learners seem to share "
          + "this endpoint; stop one.")
    }
    if total == nil { bytes.reserveCapacity(chunk.total) }
    total = chunk.total
    digest = chunk.digest
    bytes += chunk.bytes
    hash.update(chunk.bytes)
    guard bytes.count >= chunk.total else { return nil }
    let found = hash.digest()
    guard found == chunk.digest else {
      throw ActorError("policy \(version): expected SHA-256 \(chunk.digest), found \(found); it was damaged on its way.")
    }
    let whole = bytes
    bytes = []
    return (whole, found)
  }
}
