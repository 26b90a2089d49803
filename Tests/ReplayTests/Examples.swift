// Groups to store, and folders to store them in.

import Engine
import Foundation
import Messages
import Replay

let exampleOrigin = ReplayOrigin(runID: "run-1", modelHash: "abc", configuration: "run:\n  seed: 1\n")

/// A group whose numbers all follow from its own number; sizes differ on request.
func exampleGroup(_ number: Int, epoch: Int = 0, steps: Int = 3, runID: String = "run-1") -> TrajectoryGroup {
  var random = RandomStream(seed: UInt64(number)).fork("example")
  let scored = number % 5 != 4
  let trajectories = (0..<2).map { index in
    Trajectory(
      states: random.normal([steps + 1, 2, 4, 4]), cleanStates: random.normal([steps, 2, 4, 4]),
      logProbabilities: random.normal([steps]).values,
      scores: [
        Score(step: 0, reward: "alignment", version: "1", value: Float(number)),
        Score(
          step: steps - 1, reward: "alignment", version: "1", value: scored || index == 0 ? Float(number + index) : nil),
      ], denseRewards: scored || index == 0 ? random.normal([steps]).values : [], anchorStep: steps - 1)
  }
  return TrajectoryGroup(
    runID: runID, number: number, epoch: epoch, actor: "actor-\(number % 2)", incarnation: 1, policyVersion: epoch,
    prompt: "prompt \(number % 3) 🐸", seed: 1, timesteps: (0..<steps).map { 900 - 100 * $0 }, eta: 1, guidanceScale: 2,
    trajectories: trajectories)
}

func encoded(_ group: TrajectoryGroup) -> [UInt8] { Message.group(group).encode() }

extension ReplayStore {
  /// Appends an example and gives what it is read back as.
  @discardableResult
  func add(_ number: Int, epoch: Int = 0, steps: Int = 3) throws -> Insertion {
    let group = exampleGroup(number, epoch: epoch, steps: steps)
    return try append(group, bytes: encoded(group))
  }

  /// Whether the group of a number is, to the bit, the example of that number.
  func holdsExample(_ number: Int, epoch: Int = 0, steps: Int = 3) throws -> Bool {
    encoded(try group(number)) == encoded(exampleGroup(number, epoch: epoch, steps: steps))
  }

  var numbers: [Int] { entries.map(\.number) }
}

/// A new folder that goes away with `body`.
func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("replay-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

func names(_ folder: URL) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "lock" }.sorted()
}

/// The error that `body` throws.
func replayError(_ body: () throws -> Void) -> ReplayError? {
  do {
    try body()
    return nil
  } catch {
    return error as? ReplayError
  }
}

/// A new folder that goes away with `body`; in memory where there is such a place, for tests that write thousands of
/// files and are not about a disk's speed.
func withFastFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let memory = URL(filePath: "/dev/shm")
  let isThere = FileManager.default.isWritableFile(atPath: memory.path)
  let place = isThere ? memory : FileManager.default.temporaryDirectory
  let folder = place.appendingPathComponent("replay-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}
