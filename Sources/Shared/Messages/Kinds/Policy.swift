// The distribution of a policy: the learner announces it with a small notice, and actors request the weights (the bytes
// of a safetensors file) in chunks. The digest proves that they are complete and unchanged.

package struct PolicyNotice: Sendable, Equatable {
  /// Number of trained epochs; 0 is the untrained policy.
  package var version: Int
  /// SHA-256 of all bytes, 64 lower-case hexadecimal digits.
  package var digest: String
  /// Number of tensors in the file. An actor must bind all of them.
  package var tensorCount: Int

  package init(version: Int, digest: String, tensorCount: Int) {
    (self.version, self.digest, self.tensorCount) = (version, digest, tensorCount)
  }

  /// Computes the digest of `bytes`.
  package init(version: Int, bytes: [UInt8], tensorCount: Int) {
    self.init(version: version, digest: SHA256.digest(of: bytes), tensorCount: tensorCount)
  }
}

package struct PolicyRequest: Sendable, Equatable {
  package var version: Int
  package var offset: Int
  /// Largest number of bytes to send. The learner may send fewer.
  package var byteCount: Int

  package init(version: Int, offset: Int, byteCount: Int) {
    (self.version, self.offset, self.byteCount) = (version, offset, byteCount)
  }
}

package struct PolicyChunk: Sendable, Equatable {
  package var version: Int
  package var offset: Int
  package var bytes: [UInt8]
  package var total: Int
  /// SHA-256 of the whole policy, as in its notice.
  package var digest: String

  package init(version: Int, offset: Int, bytes: [UInt8], total: Int, digest: String) {
    (self.version, self.offset, self.bytes, self.total, self.digest) = (version, offset, bytes, total, digest)
  }
}
