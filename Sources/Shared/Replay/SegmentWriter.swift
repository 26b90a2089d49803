// Seals trajectory groups into an HDF5 file that is written beside, put on disk, read back and compared, and only then
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
  ///   - level: of deflate for the states; 0: none.
  ///   - group: gives a group and the size of its encoded message; called several times an index, so that memory
  ///     holds one group at a time.
  /// - Throws: `ReplayError`; nothing of that name is left then.
  static func seal(
    _ path: String, origin: ReplayOrigin, count: Int, level: Int,
    group: (Int) throws -> (group: TrajectoryGroup, byteCount: Int)
  ) throws {
    let partial = path + ".partial"
    do {
      _ = try Disk.call("hdf5", partial) { 0 }
      try HDF5.exclusively { try write(partial, origin, count, level, group) }
      let file = try OpenFile(partial, O_RDONLY)
      try file.synchronizeAll()
      try verify(partial, count, group)
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

  private static func write(
    _ path: String, _ origin: ReplayOrigin, _ count: Int, _ level: Int,
    _ group: (Int) throws -> (group: TrajectoryGroup, byteCount: Int)
  ) throws {
    let file = try HDF5File(creating: path)
    try file.writeAttribute(SegmentSchema.schemaVersion, SegmentSchema.version)
    try file.writeAttribute(SegmentSchema.createdBy, "stepwise")
    try file.writeAttribute(SegmentSchema.runID, origin.runID)
    try file.writeAttribute(SegmentSchema.modelHash, origin.modelHash)
    try file.writeAttribute(SegmentSchema.configuration, origin.configuration)
    for name in ["groups", "trajectories", "scores"] { try file.createGroup(name) }

    var columns = SegmentColumns()
    // Row of a trajectory to its place.
    var places: [(group: Int, trajectory: Int)] = []
    for index in 0..<count {
      let (group, byteCount) = try group(index)
      places += group.trajectories.indices.map { (index, $0) }
      columns.append(group, byteCount: byteCount)
    }
    try columns.write(to: file)

    // Rows of a group follow each other, so each group is fetched once a dataset.
    var current: (index: Int, group: TrajectoryGroup)?
    func trajectory(_ row: Int) throws -> Trajectory {
      let place = places[row]
      if current?.index != place.group { current = (place.group, try group(place.group).group) }
      return current!.group.trajectories[place.trajectory]
    }
    let first = try trajectory(0)
    try file.write(
      SegmentSchema.Trajectory.states, rows: places.count, rowShape: first.states.shape, level: level
    ) { row, body in try trajectory(row).states.withUnsafeBuffer { try body($0.baseAddress!) } }
    try file.write(
      SegmentSchema.Trajectory.cleanStates, rows: places.count, rowShape: first.cleanStates.shape, level: level
    ) { row, body in try trajectory(row).cleanStates.withUnsafeBuffer { try body($0.baseAddress!) } }
    try file.flush()
  }

  /// Reads the file back and compares every group, all its fields, to the bit.
  private static func verify(
    _ path: String, _ count: Int, _ group: (Int) throws -> (group: TrajectoryGroup, byteCount: Int)
  ) throws {
    let segment = try SegmentReader(path)
    guard segment.entries.count == count else {
      throw ReplayError(.damaged, path: path, "expected \(count) groups after sealing, found \(segment.entries.count)")
    }
    try segment.readGroups(Array(0..<count)) { index, read in
      let written = try group(index).group
      guard Message.group(read).encode() == Message.group(written).encode() else {
        throw ReplayError(.damaged, path: path, "group \(written.number) is not what was written")
      }
    }
  }
}

/// The columns of a segment but for the states, which are too large to gather.
private struct SegmentColumns {
  private var number: [Int64] = [], epoch: [Int64] = [], policyVersion: [Int64] = [], incarnation: [Int64] = []
  private var prompt: [String] = [], actor: [String] = [], seed: [UInt64] = [], timesteps: [Int32] = []
  private var eta: [Float] = [], guidanceScale: [Float] = [], byteCount: [Int64] = [], firstTrajectory: [Int64] = [0]
  private var logProbabilities: [Float] = [], denseRewards: [Float] = [], isScored: [UInt8] = []
  private var anchorStep: [Int32] = [], firstScore: [Int64] = [0]
  private var step: [Int32] = [], reward: [String] = [], version: [String] = [], value: [Float] = []
  private var stepCount = 0

  mutating func append(_ group: TrajectoryGroup, byteCount: Int) {
    stepCount = group.timesteps.count
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
  }
}
