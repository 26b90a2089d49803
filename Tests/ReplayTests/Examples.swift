// Groups for tests, and folders to store them in.

import Engine
import Foundation
import Messages
import Replay
import Settings

let exampleOrigin = ReplayOrigin(runID: "run-1", modelHash: "abc", configuration: "run:\n  seed: 1\n")

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

/// Multiplies the number of rounds, for a longer run.
let fuzzScale = ProcessInfo.processInfo.environment["STEPWISE_FUZZ_SCALE"].flatMap { Int($0) } ?? 1

func openStore(_ folder: URL, segmentGroups: Int) throws -> ReplayStore {
  try ReplayStore(
    folder: folder, origin: exampleOrigin, settings: ReplaySettings { $0.segmentGroups = segmentGroups })
}

func encoded(_ group: TrajectoryGroup) -> [UInt8] { Message.group(group).encode() }

extension ReplayStore {
  @discardableResult
  func add(_ number: Int, epoch: Int = 0, steps: Int = 3) throws -> Insertion {
    let group = exampleGroup(number, epoch: epoch, steps: steps)
    return try append(group, bytes: encoded(group))
  }

  /// Appends, commits and seals example groups, one after another.
  func fill(_ numbers: some Sequence<Int>) throws {
    for number in numbers {
      try add(number)
      try commit()
      try maintain()
    }
  }

  func holdsExample(_ number: Int, epoch: Int = 0, steps: Int = 3) throws -> Bool {
    encoded(try group(number)) == encoded(exampleGroup(number, epoch: epoch, steps: steps))
  }

  var numbers: [Int] { entries.map(\.number) }
}

/// Calls `body` with a new folder, and removes it.
func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  try withFolder(in: FileManager.default.temporaryDirectory, body)
}

private func withFolder<Result>(in parent: URL, _ body: (URL) throws -> Result) throws -> Result {
  let folder = parent.appendingPathComponent("replay-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

func names(_ folder: URL) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "lock" }.sorted()
}

func segmentPaths(_ folder: URL) throws -> [String] {
  try names(folder).filter { $0.hasSuffix(".h5") }.map { folder.appending(path: $0).path }
}

/// The error that `body` throws.
func failure(_ body: () throws -> Void) -> (any Error)? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}

func replayError(_ body: () throws -> Void) -> ReplayError? { failure(body) as? ReplayError }

/// Calls `body` with a new folder, in memory if possible, for tests that write thousands of files; and removes it.
func withFastFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let memory = URL(filePath: "/dev/shm")
  let isWritable = FileManager.default.isWritableFile(atPath: memory.path)
  return try withFolder(in: isWritable ? memory : FileManager.default.temporaryDirectory, body)
}
