// Memory that work is going to need, held against what the machine has before the work starts: being refused with
// numbers is better than being killed by the system an hour later. Demands are lower bounds, so nothing that would run
// is refused.

internal import Foundation

/// More memory would be needed than there is.
package struct MemoryShortage: Error, CustomStringConvertible {
  package let description: String
}

/// Some parts of a work and the bytes that each needs at the least, all at the same time.
package struct MemoryDemand: Sendable {
  private var parts: [(what: String, bytes: Int)] = []

  /// No demand yet.
  package init() {}

  /// Adds `bytes` for a part, as "unet/config.json: 866 M weights".
  package mutating func add(_ what: String, bytes: Int) { parts.append((what, bytes)) }

  /// Bytes of all parts.
  package var bytes: Int { parts.reduce(0) { $0 + $1.bytes } }

  /// - Parameters:
  ///   - available: bytes there are; nil asks the system.
  ///   - advice: what the user can do.
  /// - Throws: `MemoryShortage` with the sizes of all parts when they exceed what is available.
  package func require(available: Int? = MemoryDemand.available, advice: String) throws {
    guard let available, bytes > available else { return }
    let sizes = parts.map { "\($0.what) \(Self.text($0.bytes))" }.joined(separator: ", ")
    throw MemoryShortage(
      description: "needs at least \(Self.text(bytes)) of memory: \(sizes); expected at most the "
        + "\(Self.text(available)) that this machine has free. \(advice)")
  }

  /// Bytes that can be had: the kernel's estimate, and no more than the limit of the control group; nil where neither
  /// is told.
  package static var available: Int? {
    let kernel = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)).flatMap { text in
      text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }.map { $0 * 1024 }
    }
    let limit = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8))
      .flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    return [kernel, limit].compactMap { $0 }.min()
  }

  static func text(_ bytes: Int) -> String {
    bytes >= 100_000_000 ? String(format: "%.1f GB", Double(bytes) / 1e9) : "\(max(1, bytes / 1_000_000)) MB"
  }
}
