// Compares the memory that work needs with the memory that is free before the work starts: a refusal with numbers is
// better than being killed by the system an hour later. Demands are lower bounds, so work that would run is never
// refused.

internal import Foundation

/// The work needs more memory than is available.
package struct MemoryShortage: Error, CustomStringConvertible {
  package let description: String
}

/// The parts of some work and the least number of bytes that each needs, all at the same time.
package struct MemoryDemand: Sendable {
  private var parts: [(what: String, bytes: Int)] = []

  package init() {}

  /// Adds `bytes` for a part, such as "unet/config.json: 866 M weights".
  package mutating func add(_ what: String, bytes: Int) { parts.append((what, bytes)) }

  package var bytes: Int { parts.reduce(0) { $0 + $1.bytes } }

  /// - Parameters:
  ///   - available: bytes that are free; nil where this is unknown, and nothing is refused.
  ///   - advice: what the user can do, for the message.
  /// - Throws: `MemoryShortage` with the sizes of all parts when they exceed what is available.
  package func require(available: Int? = MemoryDemand.available, advice: String) throws {
    guard let available, bytes > available else { return }
    let sizes = parts.map { "\($0.what) \(Self.text($0.bytes))" }.joined(separator: ", ")
    throw MemoryShortage(
      description: "this needs at least \(Self.text(bytes)) of memory (\(sizes)), but only "
        + "\(Self.text(available)) are free. \(advice)")
  }

  /// Bytes that are available: the kernel's estimate, at most the limit of the control group; nil where neither is
  /// known.
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
