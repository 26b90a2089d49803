// Seals trajectory groups into an HDF5 file. The file is written under a temporary name, read back, compared and synced
// before it gets its name, so a file of that name is complete.

internal import Durable
internal import Engine
internal import Glibc
internal import Messages

enum SegmentWriter {
  /// Writes groups, which all have states of one shape, in the given order.
  ///
  /// - Parameters:
  ///   - path: the segment's final name.
  ///   - count: number of groups; at least one.
  ///   - group: returns a group and the size of its encoded message. It is called twice per index, so that memory holds
  ///     one group at a time.
  /// - Throws: `ReplayError` or `SystemError`; no segment is left then.
  static func seal(
    _ path: String, origin: ReplayOrigin, count: Int,
    group: (Int) throws -> (group: TrajectoryGroup, byteCount: Int)
  ) throws {
    let partial = Disk.partial(path)
    do {
      try FileCall.hdf5.on(partial) { 0 }
      var columns = SegmentColumns()
      for row in 0..<count {
        let (group, byteCount) = try group(row)
        columns.append(group, byteCount: byteCount)
      }
      try HDF5.exclusively { try write(columns, origin, partial) }
      try writeStates(partial, count) { try group($0).group }
      try Disk.rename(partial, to: path)
    } catch {
      defer { Disk.discard(partial) }
      if error is ReplayError { try requireSpace(partial) }
      throw error
    }
  }

  /// Finds out whether the library failed because the disk is full. It reports the reason only in words, so this appends
  /// to the file that it failed to write: on a full disk or quota the system refuses that too, and says so by errno.
  ///
  /// - Throws: `SystemError` when the file cannot grow.
  private static func requireSpace(_ path: String) throws {
    let file = try OpenFile(path, .creating)
    // HDF5 writes the metadata of a segment in pieces of less than a mebibyte.
    try file.write([UInt8](repeating: 0, count: 1 << 20), at: file.byteCount())
    try file.synchronize()
  }

  /// Writes everything but the states, and leaves space for them.
  private static func write(_ columns: SegmentColumns, _ origin: ReplayOrigin, _ path: String) throws {
    let file = try HDF5File(creating: path)
    try file.writeAttribute(SegmentSchema.schemaVersion, SegmentSchema.version)
    try file.writeAttribute(SegmentSchema.createdBy, "stepwise")
    try file.writeAttribute(SegmentSchema.runID, origin.runID)
    try file.writeAttribute(SegmentSchema.modelHash, origin.modelHash)
    try file.writeAttribute(SegmentSchema.configuration, origin.configuration)
    for name in ["groups", "trajectories", "scores"] { try file.createGroup(name) }
    try columns.write(to: file)
    try file.flush()
  }

  /// Writes the states, reads every group back, compares it bit by bit, and syncs the file to disk.
  private static func writeStates(_ path: String, _ count: Int, _ group: (Int) throws -> TrajectoryGroup) throws {
    let segment = try SegmentReader(path)
    guard segment.entries.count == count else {
      throw ReplayError(.damaged, path: path, "expected \(count) groups after writing, found \(segment.entries.count)")
    }
    let file = try OpenFile(path, .updating)
    for row in 0..<count {
      let group = try group(row)
      try segment.writeStates(of: group, row, to: file)
      let written = Message.group(group).encode(), read = Message.group(try segment.group(row)).encode()
      guard read.count == written.count, memcmp(read, written, read.count) == 0 else {
        throw ReplayError(.damaged, path: path, "group \(group.number) differs from the group that was written")
      }
    }
    try file.synchronize()
  }
}

/// The columns of a segment. The states are too large to be collected; of them it has the checksums.
private struct SegmentColumns {
  private var number: [Int64] = [], epoch: [Int64] = [], policyVersion: [Int64] = [], incarnation: [Int64] = []
  private var prompt: [String] = [], actor: [String] = [], seed: [UInt64] = [], timesteps: [Int32] = []
  private var eta: [Float] = [], guidanceScale: [Float] = [], byteCount: [Int64] = [], firstTrajectory: [Int64] = [0]
  private var logProbabilities: [Float] = [], denseRewards: [Float] = [], isScored: [UInt8] = []
  private var anchorStep: [Int32] = [], firstScore: [Int64] = [0]
  private var step: [Int32] = [], reward: [String] = [], version: [String] = [], value: [Float] = []
  private var statesChecksum: [UInt32] = [], cleanStatesChecksum: [UInt32] = []
  private var stepCount = 0, stateShape: [Int] = []

  mutating func append(_ group: TrajectoryGroup, byteCount: Int) {
    stepCount = group.timesteps.count
    stateShape = group.trajectories[0].states.shape
    number.append(Int64(group.number))
    epoch.append(Int64(group.epoch))
    policyVersion.append(Int64(group.policyVersion))
    incarnation.append(Int64(group.incarnation))
    prompt.append(group.prompt)
    actor.append(group.actor)
    seed.append(group.seed)
    timesteps += group.timesteps.map { Int32(truncatingIfNeeded: $0) }
    eta.append(group.eta)
    guidanceScale.append(group.guidanceScale)
    self.byteCount.append(Int64(byteCount))
    firstTrajectory.append(firstTrajectory.last! + Int64(group.trajectories.count))
    for trajectory in group.trajectories { append(trajectory) }
  }

  private mutating func append(_ trajectory: Trajectory) {
    statesChecksum.append(trajectory.states.withUnsafeBuffer { CRC32C.checksum(UnsafeRawBufferPointer($0)) })
    cleanStatesChecksum.append(trajectory.cleanStates.withUnsafeBuffer { CRC32C.checksum(UnsafeRawBufferPointer($0)) })
    logProbabilities += trajectory.logProbabilities
    isScored.append(trajectory.isScored ? 1 : 0)
    denseRewards += trajectory.isScored ? trajectory.denseRewards : [Float](repeating: .nan, count: stepCount)
    anchorStep.append(Int32(trajectory.anchorStep))
    firstScore.append(firstScore.last! + Int64(trajectory.scores.count))
    for score in trajectory.scores {
      step.append(Int32(score.step))
      reward.append(score.reward)
      version.append(score.version)
      value.append(score.value ?? .nan)
    }
  }

  func write(to file: borrowing HDF5File) throws {
    try file.write(SegmentSchema.Group.number, number)
    try file.write(SegmentSchema.Group.epoch, epoch)
    try file.write(SegmentSchema.Group.policyVersion, policyVersion)
    try file.write(SegmentSchema.Group.incarnation, incarnation)
    try file.write(SegmentSchema.Group.prompt, prompt)
    try file.write(SegmentSchema.Group.actor, actor)
    try file.write(SegmentSchema.Group.seed, seed)
    try file.write(SegmentSchema.Group.timesteps, timesteps, shape: [number.count, stepCount])
    try file.write(SegmentSchema.Group.eta, eta)
    try file.write(SegmentSchema.Group.guidanceScale, guidanceScale)
    try file.write(SegmentSchema.Group.byteCount, byteCount)
    try file.write(SegmentSchema.Group.firstTrajectory, firstTrajectory)
    try file.write(SegmentSchema.Trajectory.logProbabilities, logProbabilities, shape: [isScored.count, stepCount])
    try file.write(SegmentSchema.Trajectory.denseRewards, denseRewards, shape: [isScored.count, stepCount])
    try file.write(SegmentSchema.Trajectory.isScored, isScored)
    try file.write(SegmentSchema.Trajectory.anchorStep, anchorStep)
    try file.write(SegmentSchema.Trajectory.firstScore, firstScore)
    try file.write(SegmentSchema.Score.step, step)
    try file.write(SegmentSchema.Score.reward, reward)
    try file.write(SegmentSchema.Score.version, version)
    try file.write(SegmentSchema.Score.value, value)
    try file.write(SegmentSchema.Trajectory.statesChecksum, statesChecksum)
    try file.write(SegmentSchema.Trajectory.cleanStatesChecksum, cleanStatesChecksum)
    let pixels = Array(stateShape.dropFirst())
    try file.reserve(SegmentSchema.Trajectory.states, [isScored.count, stepCount + 1] + pixels)
    try file.reserve(SegmentSchema.Trajectory.cleanStates, [isScored.count, stepCount] + pixels)
  }
}
