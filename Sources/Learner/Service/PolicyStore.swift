// The policies that actors may request: the newest, and as many older ones as current assignments can name.

internal import Messages

struct PolicyStore {
  private struct Policy {
    let bytes: [UInt8]
    let notice: PolicyNotice
  }

  private var policies: [Int: Policy] = [:]
  private let kept: Int
  /// The notice of the newest policy; nil before the first one is published.
  private(set) var current: PolicyNotice?

  /// - Parameter kept: number of versions to keep, at least one.
  init(kept: Int) { self.kept = max(kept, 1) }

  /// `bytes` is a safetensors file with `tensorCount` tensors.
  mutating func publish(version: Int, bytes: [UInt8], tensorCount: Int) -> PolicyNotice {
    let notice = PolicyNotice(version: version, bytes: bytes, tensorCount: tensorCount)
    policies[version] = Policy(bytes: bytes, notice: notice)
    policies = policies.filter { $0.key > version - kept }
    current = notice
    return notice
  }

  /// The requested part of a policy, at most `limit` bytes; nil when the version is not kept or the offset is too large.
  func chunk(_ request: PolicyRequest, limit: Int) -> PolicyChunk? {
    guard let policy = policies[request.version], request.offset < policy.bytes.count else { return nil }
    let end = request.offset + min(max(request.byteCount, 1), limit, policy.bytes.count - request.offset)
    return PolicyChunk(
      version: request.version, offset: request.offset, bytes: Array(policy.bytes[request.offset..<end]),
      total: policy.bytes.count, digest: policy.notice.digest)
  }
}
