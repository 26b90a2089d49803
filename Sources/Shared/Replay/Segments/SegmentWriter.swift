// Seals trajectory groups into an HDF5 file that is written beside, read back and compared, put on disk, and only then
// given its name: a file of that name is whole.

internal import Engine
internal import Foundation
internal import Messages

#if canImport(Glibc)
  internal import Glibc
#endif

/// Makes segments.
enum SegmentWriter {
  /// Writes groups, which all have states of one shape, in the given order.
  ///
  /// - Parameters:
  ///   - path: the segment's final name.
  ///   - count: how many groups; at least one.
  ///   - group: gives a group and the size of its encoded message; called twice an index, so that memory holds one
  ///     group at a time.
  /// - Throws: `ReplayError`; nothing of that name is left then.
  static func seal(
    _ path: String, origin: ReplayOrigin, count: Int,
    group: (Int) throws -> (group: TrajectoryGroup, byteCount: Int)
  ) throws {
    let partial = path + ".partial"
    do {
      _ = try Disk.call("hdf5", partial) { 0 }
      var columns = SegmentColumns()
      for row in 0..<count {
        let (group, byteCount) = try group(row)
        columns.append(group, byteCount: byteCount)
      }
      try HDF5.exclusively { try write(columns, origin, partial) }
      try writeStates(partial, count) { try group($0).group }
    } catch {
      Disk.discard(partial)
      throw fullDiskOr(error, partial)
    }
    try Disk.rename(partial, to: path)
  }

  /// HDF5 tells of a full disk only in words.
  private static func fullDiskOr(_ error: any Error, _ path: String) -> any Error {
    guard let replayError = error as? ReplayError, replayError.kind == .damaged else { return error }
    let isFull = replayError.problem.contains("No space left") || replayError.problem.contains("quota")
    let folder = (path as NSString).deletingLastPathComponent
    let free = (try? FileManager.default.attributesOfFileSystem(forPath: folder))?[.systemFreeSize] as? Int
    guard isFull || free.map({ $0 < 1 << 20 }) == true else { return error }
    return ReplayError(.full, path: path, "no room to seal a segment; free some, the intake goes on by itself")
  }

  /// Everything but the states, for which room is left.
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

  /// Fills in the states, reads every group back, compares all its fields to the bit, and puts the file on disk.
  private static func writeStates(_ path: String, _ count: Int, _ group: (Int) throws -> TrajectoryGroup) throws {
    let segment = try SegmentReader(path)
    guard segment.entries.count == count else {
      throw ReplayError(.damaged, path: path, "expected \(count) groups after sealing, found \(segment.entries.count)")
    }
    let file = try OpenFile(path, O_WRONLY)
    for row in 0..<count {
      let group = try group(row)
      try segment.writeStates(of: group, row, to: file)
      let written = Message.group(group).encode(), read = Message.group(try segment.group(row)).encode()
      guard read.count == written.count, memcmp(read, written, read.count) == 0 else {
        throw ReplayError(.damaged, path: path, "group \(group.number) is not what was written")
      }
    }
    try file.synchronizeAll()
  }
}

/// The columns of a segment, and of the states, which are too large to gather, their checksums.
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
