// A learner without training: the real service with its real replay, and in place of training a digest of the groups of
// each epoch, chained from epoch to epoch. An epoch that gets other groups after a restart changes the chain.

import Actor
import Configuration
import Durable
import Foundation
import Glibc
import Learner
import Logging
import Messages
import Replay
import Supervision
import Threads
import Transport

struct TortureLearner {
  /// Takes the place of a checkpoint.
  private struct State: Codable {
    var version = 0
    var chain = String(repeating: "0", count: 64)
  }

  let configuration: Configuration
  let plan: TorturePlan
  let logger: Logger

  /// Runs until SIGTERM.
  ///
  /// - Throws: the error that ends the service.
  func run(_ context: Context, incarnation: Int) throws {
    let file = URL(filePath: configuration.run.folder).appending(path: "state.json")
    var state = State()
    if FileManager.default.fileExists(atPath: file.path) {
      state = try JSONDecoder().decode(State.self, from: Data(contentsOf: file))
    }
    let ledger = try Ledger(file: plan.ledger("learner"))
    let settings = try LearnerSettings(
      configuration, runID: plan.runID, modelHash: SyntheticGroups.modelHash, firstEpoch: state.version)
    let service = try LearnerService(context, settings, logger: logger) { group in
      let problem = SyntheticGroups.problem(with: group)
      if let problem { ledger.write("damaged \(problem)") }
      return problem
    }
    let signals = try TerminationSignals { _ in service.stop() }
    defer { withExtendedLifetime(signals) {} }
    ledger.write("began \(incarnation) \(state.version)")
    try publish(state, service)
    while let groups = try service.groups(ofEpoch: state.version) {
      state.chain = Self.link(state.chain, groups)
      // Written before the state: a process that ends in between trains the epoch again, and must get the same chain.
      ledger.write("trained \(state.version) \(state.chain)")
      state.version += 1
      do { try keep(state, file) } catch where isOutOfSpace(error) {
        // As a checkpoint that cannot be written: the older one stays, and epochs are trained again after a restart.
        logger.warning("\(error); the state stays at an older epoch")
      }
      try publish(state, service)
    }
    try service.end()
    ledger.write("ended \(incarnation) \(state.version)")
  }

  private func publish(_ state: State, _ service: LearnerService) throws {
    let bytes = [UInt8]("\(state.version) \(state.chain)".utf8)
    try service.publish(version: state.version, bytes: bytes, tensorCount: 1)
  }

  private static func link(_ chain: String, _ groups: [TrajectoryGroup]) -> String {
    var digest = SHA256()
    digest.update(Array(chain.utf8))
    for group in groups {
      let scores = group.trajectories.flatMap(\.scores).map { $0.value.map { "\($0)" } ?? "missing" }
      digest.update(Array("\(group.number) \(scores.joined(separator: " "))".utf8))
    }
    return digest.digest()
  }

  private func keep(_ state: State, _ file: URL) throws {
    try Disk.writeWhole(JSONEncoder().encode(state), to: file.path)
  }
}

/// An append-only file of lines. Each line is one write call, so that a killed process leaves complete lines.
final class Ledger: Sendable {
  private let descriptor: Int32

  init(file: URL) throws {
    descriptor = open(file.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw CommandError("could not open \(file.path): \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  func write(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      fatalError("could not write a ledger: \(String(cString: strerror(errno)))")
    }
  }
}
