// The policies that actors may still ask for: the newest, and as many older ones as work in flight can name.

internal import Messages

/// Published policies by version.
struct PolicyStore {
  private struct Policy {
    let bytes: [UInt8]
    let notice: PolicyNotice
  }

  private var policies: [Int: Policy] = [:]
  private let kept: Int
  /// The newest policy's notice; none before the first is published.
  private(set) var current: PolicyNotice?

  /// - Parameter kept: how many versions to keep, at least one.
  init(kept: Int) { self.kept = max(kept, 1) }

  /// Makes a policy the newest.
  ///
  /// - Parameters:
  ///   - bytes: a safetensors file.
  ///   - tensorCount: tensors in it.
  mutating func publish(version: Int, bytes: [UInt8], tensorCount: Int) -> PolicyNotice {
    let notice = PolicyNotice(version: version, bytes: bytes, tensorCount: tensorCount)
    policies[version] = Policy(bytes: bytes, notice: notice)
    policies = policies.filter { $0.key > version - kept }
    current = notice
    return notice
  }

  /// The part that was asked for, at most `limit` bytes; nil when the version is gone, or the offset beyond its end.
  func chunk(_ request: PolicyRequest, limit: Int) -> PolicyChunk? {
    guard let policy = policies[request.version], request.offset < policy.bytes.count else { return nil }
    let end = request.offset + min(max(request.byteCount, 1), limit, policy.bytes.count - request.offset)
    return PolicyChunk(
      version: request.version, offset: request.offset, bytes: Array(policy.bytes[request.offset..<end]),
      total: policy.bytes.count, digest: policy.notice.digest)
  }
}
