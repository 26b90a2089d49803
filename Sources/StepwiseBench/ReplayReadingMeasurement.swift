// Sampling from a replay and recovery of a replay, as `stepwise-bench replay` measures them.

import Basics
import Configuration
import Engine
import Foundation
import Messages
import Replay
import Supervision
import Threads

/// Sampling of groups from a replay in the process that stores it, as in the learner.
struct ReplayReadingMeasurement {
  /// Where the sampled groups are stored.
  enum Source: String, CaseIterable { case memory, journal, segments }

  let groupBytes: Int
  let source: Source

  /// - Throws: when a sampled group is not unchanged.
  func measure(in folder: URL, seconds: Double) throws -> ReplayMeasurement {
    // The peers keep 1 GiB too.
    let kept = (1 << 30) / groupBytes
    let groups = BenchGroups(bytes: groupBytes)
    let store = try open(folder)
    try fill(store, kept, groups)
    if source == .segments { try store.seal() }
    var random = RandomStream(seed: 1)
    var count = 0
    let start = ContinuousClock.now
    while (ContinuousClock.now - start).seconds < seconds {
      for group in try store.sample(min(16, store.count), from: &random) {
        guard groups.isUnchanged(group) else {
          throw CommandError("group \(group.number) differs from the stored one")
        }
        count += 1
      }
    }
    let rate = Double(count) / (ContinuousClock.now - start).seconds
    return ReplayMeasurement(
      operation: "sample", bytes: groupBytes, samplers: 1, source: source.rawValue,
      itemsPerSecond: rate.rounded(toPlaces: 1), mbPerSecond: (rate * Double(groupBytes) / 1e6).rounded(toPlaces: 1),
      verified: count)
  }

  /// Opens a replay with a journal of `mebibytes` MiB, as a learner does after SIGKILL.
  ///
  /// - Throws: when a recovered group is not unchanged.
  func recover(in folder: URL, mebibytes: Int) throws -> ReplayMeasurement {
    let count = (mebibytes << 20) / groupBytes
    let groups = BenchGroups(bytes: groupBytes)
    do { try fill(open(folder), count, groups) }
    let start = ContinuousClock.now
    let store = try open(folder)
    let seconds = (ContinuousClock.now - start).seconds
    let verified = try store.entries.count { groups.isUnchanged(try store.group($0.number)) }
    guard verified == count else { throw CommandError("expected \(count) recovered groups, found \(verified)") }
    let rate = Double(count) / seconds
    return ReplayMeasurement(
      operation: "recover", bytes: groupBytes, source: source.rawValue, seconds: seconds.rounded(toPlaces: 3),
      itemsPerSecond: rate.rounded(toPlaces: 1), mbPerSecond: (rate * Double(groupBytes) / 1e6).rounded(toPlaces: 1),
      verified: verified)
  }

  private func open(_ folder: URL) throws -> ReplayStore {
    try ReplayStore(
      folder: folder.appending(path: "replay"),
      origin: ReplayOrigin(runID: "bench", modelHash: "bench", configuration: ""),
      settings: ReplaySettings {
        $0.segmentGroups = 1 << 30
        $0.segmentBytes = 1 << 40
        $0.maximumTrajectories = 1 << 40
        $0.maximumBytes = 1 << 40
        $0.waitsForDisk = false
        $0.cacheBytes = source == .memory ? 2 << 30 : 0
      })
  }

  private func fill(_ store: ReplayStore, _ count: Int, _ groups: BenchGroups) throws {
    for number in 0..<count {
      let bytes = Message.group(groups.group(number)).encode()
      // Decoded, so that the group has its own memory, like a group from an actor.
      guard case .group(let group) = try Message(decoding: bytes, from: "bench") else { continue }
      try store.append(group, bytes: bytes)
    }
  }
}
