// The section `replay`.

/// How trajectories are stored, and how often they are used.
package struct ReplaySettings: SettingsSection {
  /// Trajectories that are kept; the oldest segments are deleted first. A larger value takes more disk space.
  package var maximumTrajectories = 100_000
  /// Bytes that are kept; the oldest segments are deleted first. A larger value takes more disk space.
  package var maximumBytes = 10_737_418_240
  /// Groups per segment. A larger value makes larger files and seals them less often.
  package var segmentGroups = 256
  /// Bytes per segment; the segment is sealed at the limit that is reached first. With a larger value, a restart reads
  /// more of the journal.
  package var segmentBytes = 268_435_456
  /// Whether a group is acknowledged only when it is on the disk. With `false` it is acknowledged when the operating
  /// system has it: a killed learner loses nothing, a failed machine loses what was not yet written.
  package var waitsForDisk = true
  /// Bytes of groups that are kept in memory to be trained on again. A larger value reads less from the disk.
  package var cacheBytes = 268_435_456
  /// How often a group is trained on, on average. Actors pause while groups are trained on less often than this, and
  /// training waits while they are trained on more often. 0 sets no limit.
  package var samplesPerInsert = 0.0
  /// The number of samples by which the two may differ, with `replay.samplesPerInsert`. A larger value lets either side
  /// run further ahead.
  package var errorBuffer = 1000.0
  /// Groups that must be stored before training starts, with `replay.samplesPerInsert`. A larger value starts later,
  /// from a more varied replay.
  package var minimumSize = 1

  package init() {}

  package func check(_ problems: inout SettingProblems) {
    problems.positive(maximumTrajectories, "replay.maximumTrajectories")
    problems.positive(maximumBytes, "replay.maximumBytes")
    problems.positive(segmentGroups, "replay.segmentGroups")
    problems.positive(segmentBytes, "replay.segmentBytes")
    problems.notNegative(cacheBytes, "replay.cacheBytes")
    problems.notNegative(samplesPerInsert, "replay.samplesPerInsert")
    problems.positive(errorBuffer, "replay.errorBuffer")
    problems.positive(minimumSize, "replay.minimumSize")
  }
}
