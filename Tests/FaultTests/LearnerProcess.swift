// The learner as a process that can be killed, with a small model that loads quickly.

import Configuration
import Engine
import Fixtures
import Foundation
import Glibc
import Models
import Testing
import Transport

/// Multiplies the number of faults, for a longer run.
let faultScale = ProcessInfo.processInfo.environment["STEPWISE_FAULT_SCALE"].flatMap { Int($0) } ?? 1
let faultSeed = ProcessInfo.processInfo.environment["STEPWISE_FAULT_SEED"].flatMap { UInt64($0) } ?? 1

/// A folder with a model, a configuration and a run.
struct FaultBench {
  let folder: URL
  var configuration = Configuration()

  init() throws {
    try Compute.start()
    folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-faults-" + UUID().uuidString)
    let model = try TinyModel.make(in: folder)
    configuration.run.folder = folder.appending(path: "run").path
    configuration.run.model = model.path
    configuration.run.seed = 5
    configuration.run.threads = 1
    configuration.sampling.steps = 2
    configuration.sampling.prompts = ["cat", "dog", "frog"]
    configuration.reward.weights = ["jpeg-compressibility": 1]
    configuration.training.learningRate = 1e-3
    configuration.evaluation.every = 0
    configuration.network.heartbeatInterval = 0.2
    configuration.network.silenceLimit = 5
    let endpoints = try FreePorts.endpoints(4)
    configuration.network.learner = endpoints[0]
    configuration.network.notices = endpoints[1]
    configuration.network.routers = [endpoints[2]]
    configuration.network.routerBackends = [endpoints[3]]
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  var runFolder: URL { URL(filePath: configuration.run.folder) }

  /// Starts the learner, which resumes the run of the folder if there is one.
  func start() throws -> LearnerProcess {
    let file = folder.appending(path: "run.yaml")
    try Data(configuration.encodeYAML().utf8).write(to: file)
    return try LearnerProcess(
      ["--config", file.path, "--resume"], log: folder.appending(path: "learner.log"))
  }
}

final class LearnerProcess {
  /// Next to the program that runs these tests.
  static let program = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    .appending(path: "stepwise-learner")

  private let process = Process()
  private let log: URL

  init(_ arguments: [String], log: URL) throws {
    self.log = log
    process.executableURL = Self.program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
    let handle = try FileHandle(forWritingTo: log)
    try handle.seekToEnd()
    process.standardError = handle
    process.standardOutput = handle
    try process.run()
  }

  var isRunning: Bool { process.isRunning }

  /// Sends a signal and waits until it has ended. Returns its exit status, or the signal that ended it, negative.
  @discardableResult
  func end(by signal: Int32) -> Int32 {
    if process.isRunning { kill(process.processIdentifier, signal) }
    return wait()
  }

  @discardableResult
  func wait() -> Int32 {
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
  }

  var lastWords: String {
    let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").suffix(8).joined(separator: "\n")
  }
}
