// A whole run in one process, with the code of the programs: router, reward server, learner and actors of the embedded
// model, over inproc.

import Actor
import Configuration
import Engine
import Foundation
import Learner
import Logging
import Messages
import Replay
import RewardServer
import Transport

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

struct InProcessRun {
  let folder: URL
  var configuration = Configuration()

  init() throws {
    // All suites of the process use the same number of threads, because it can change the rounding of products.
    try Compute.start()
    folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-run-" + UUID().uuidString)
    configuration.run.folder = folder.appending(path: "run").path
    configuration.run.model = repository.appending(path: "Models/emoji-turbo").path
    configuration.run.seed = 11
    configuration.sampling.steps = 2
    configuration.sampling.groupsPerEpoch = 4
    configuration.sampling.batchSize = 2
    configuration.sampling.prompts = ["cat", "dog", "frog"]
    configuration.reward.weights = ["jpeg-compressibility": 1]
    configuration.training.epochs = 3
    configuration.training.learningRate = 1e-3
    configuration.training.minibatchSize = 2
    configuration.checkpoint.every = 1
    configuration.evaluation.every = 0
    configuration.replay.segmentGroups = 5
    configuration.network.learner = "inproc://learner"
    configuration.network.notices = "inproc://notices"
    configuration.network.routers = ["inproc://router"]
    configuration.network.routerBackends = ["inproc://router-backend"]
    configuration.network.heartbeatInterval = 0.1
  }

  var runFolder: URL { URL(filePath: configuration.run.folder) }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  /// Runs a router, a reward server, a learner and actors until the learner ends.
  ///
  /// - Parameter during: Is called when everything has started.
  func run(
    actors count: Int, resumes: Bool = false, during: (LearnerRun, Context) throws -> Void = { _, _ in }
  ) throws {
    let context = try Context()
    let router = try RouterRun.start(context, configuration, logger: quiet)
    let server = try ScoringRun.start(context, configuration, name: "scorer", logger: quiet)
    let outcome = Result { try train(context, actors: count, resumes: resumes, during: during) }
    server.stop()
    router.stop()
    try server.join()
    try router.join()
    try outcome.get()
  }

  /// Prepares a run with a router, which reward servers of any process can join at `back`.
  static func withRouter(_ body: (inout InProcessRun, Context, _ back: String) throws -> Void) throws {
    var run = try InProcessRun()
    defer { run.remove() }
    let context = try Context()
    let network = NetworkSettings {
      $0.silenceLimit = 2
      $0.heartbeatInterval = 0.1
    }
    let router = try RouterService(
      context, front: "inproc://rewards-front", back: "tcp://127.0.0.1:*", network: network, logger: quiet)
    run.configuration.network.routers = [router.endpoints.front]
    run.configuration.network.routerBackends = [router.endpoints.back]
    let outcome = Result { try body(&run, context, router.endpoints.back) }
    router.stop()
    try router.join()
    try outcome.get()
  }

  /// Runs a learner and actors until the learner ends. The caller provides the router and the reward servers.
  func train(
    _ context: Context, actors count: Int, resumes: Bool = false,
    during: (LearnerRun, Context) throws -> Void = { _, _ in }
  ) throws {
    let learner = LearnerRun(context, configuration, resumes: resumes, logger: quiet)
    let actors = try (0..<(learner.addresses() == nil ? 0 : count)).map { index in
      try ActorService(
        context, ActorOptions(configuration, name: "actor-\(index)", incarnation: 1), logger: quiet)
    }
    if !actors.isEmpty { try during(learner, context) }
    let outcome = Result { try learner.join() }
    for actor in actors { actor.stop() }
    for actor in actors { _ = try actor.join() }
    try outcome.get()
  }

  /// The adapter and the optimizer state of a checkpoint.
  func stored() throws -> [TrajectoryGroup] {
    let store = try ReplayStore(reading: runFolder.appending(path: "replay"))
    return try store.entries.map { try store.group($0.number) }
  }

  func weights(_ version: Int) throws -> [Data] {
    let name = "step-" + String(repeating: "0", count: 6 - "\(version)".count) + "\(version)"
    let checkpoint = runFolder.appending(path: "checkpoints/\(name)")
    return try ["pytorch_lora_weights.safetensors", "optimizer.safetensors"].map {
      try Data(contentsOf: checkpoint.appending(path: $0))
    }
  }
}
