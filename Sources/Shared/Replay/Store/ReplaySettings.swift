// How much a replay keeps, and in what portions.

internal import Engine

/// Sizes and limits of a replay.
package struct ReplaySettings: Sendable, Equatable {
  /// Groups after which the open segment is sealed. Larger: fewer files, a longer journal to read after a crash.
  package var segmentGroups: Int
  /// Bytes of journal after which the open segment is sealed.
  package var segmentBytes: Int
  /// Trajectories kept; the oldest sealed segments go when there are more.
  package var maximumTrajectories: Int
  /// Bytes kept on disk; the oldest sealed segments go when there are more.
  package var maximumBytes: Int
  /// Whether `commit` waits for the disk; off, what it returned for survives the process, not the machine.
  package var waitsForDisk: Bool
  /// Bytes of decoded groups kept in memory for reading; larger reads less from the disk.
  package var cacheBytes: Int

  /// Sizes and limits. Stops the program where they make no sense.
  package init(
    segmentGroups: Int = 256, segmentBytes: Int = 128 << 20, maximumTrajectories: Int = 100_000,
    maximumBytes: Int = 16 << 30, waitsForDisk: Bool = true, cacheBytes: Int = 0
  ) {
    check(segmentGroups > 0 && segmentBytes > 0, "ReplaySettings: a segment holds at least one group and one byte")
    self.segmentGroups = segmentGroups
    self.segmentBytes = segmentBytes
    self.maximumTrajectories = maximumTrajectories
    self.maximumBytes = maximumBytes
    self.waitsForDisk = waitsForDisk
    self.cacheBytes = cacheBytes
  }
}
