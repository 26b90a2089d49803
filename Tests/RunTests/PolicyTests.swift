// The distribution of policies from a learner's service to an actor of synthetic groups.

import Actor
import Configuration
import Foundation
import Learner
import Logging
import Messages
import Testing
import Threads
import Transport

@Suite struct PolicyTests {
  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func withLearner(_ body: (Context, LearnerService, ActorOptions) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-policies-" + UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let context = try Context()
    let work = WorkPlan.Settings(seed: 3, prompts: ["cat"], groupsPerEpoch: 2, groupSize: 2, epochs: 100)
    var settings = LearnerSettings(
      runID: "policies", modelHash: SyntheticGroups.modelHash, seed: 3, work: work,
      replayFolder: folder.appending(path: "replay"))
    settings.network.learner = "inproc://learner"
    settings.network.notices = "inproc://notices"
    settings.network.policyChunkBytes = 1 << 16
    let learner = try LearnerService(context, settings, logger: logger)
    var options = ActorOptions(Configuration(), name: "ada", incarnation: 1)
    options.configuration.network.learner = "inproc://learner"
    options.configuration.network.routers = ["inproc://absent-router"]
    options.configuration.network.heartbeatInterval = 0.1
    // Without a reward server, all scores are missing.
    options.configuration.network.scoreDeadline = 0.1
    try body(context, learner, options)
  }

  @Test func `an actor that misses ten notices samples with the newest policy`() throws {
    try withLearner { context, learner, options in
      var options = options
      options.configuration.network.notices = "inproc://silent"
      let size = (1 << 20) + 17
      for version in 0...10 {
        try learner.publish(version: version, bytes: [UInt8](repeating: UInt8(version), count: size), tensorCount: 1)
      }
      let actor = try ActorService(synthetic: context, options, pace: .zero, logger: logger) { _ in }
      let groups = try #require(try learner.groups(ofEpoch: 10))
      #expect(groups.map(\.policyVersion) == [10, 10])
      #expect(groups.allSatisfy { SyntheticGroups.problem(with: $0) == nil })
      #expect(groups.flatMap(\.trajectories).flatMap(\.scores).allSatisfy { $0.value == nil })
      try learner.publish(version: 11, bytes: [UInt8](repeating: 11, count: size), tensorCount: 1)
      #expect(try learner.groups(ofEpoch: 11)?.map(\.policyVersion) == [11, 11])
      try learner.finish("enough")
      #expect(try actor.join().contains("enough"))
    }
  }

  @Test func `an actor whose sampler is stuck ends with its own error`() throws {
    try withLearner { context, learner, options in
      var options = options
      options.configuration.network.notices = "inproc://notices"
      options.configuration.run.stuckLimit = 0.3
      try learner.publish(version: 0, bytes: [0], tensorCount: 1)
      let actor = try ActorService(synthetic: context, options, pace: .seconds(3600), logger: logger) { _ in }
      let error = #expect(throws: ActorStuck.self) { try actor.join() }
      #expect(error?.description.contains("run.stuckLimit") == true)
      try learner.end()
    }
  }
}
