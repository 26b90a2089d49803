// A whole actor with a fake learner, a router and a reward server, on real sockets.

import Actor
import Configuration
import Engine
import Fixtures
import Foundation
import Layers
import Logging
import Messages
import Models
import RewardServer
import Rewards
import Testing
import Transport

@Suite(.serialized)
final class ActorTests {
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  let folder, model: URL
  let context: Context

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "tiny-\(UUID().uuidString)")
    model = try TinyModel.make(in: folder)
    context = try Context()
    try Compute.start()
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  @Test(arguments: [
    "tcp://127.0.0.1:*", "inproc://learner",
  ])
  func `an actor samples its assignments and delivers them with scores`(endpoint: String) throws {
    let groups = try run(wanted: 12, faults: .init(chunkBytes: 1000), endpoint: endpoint).groups
    #expect(Set(groups.map(\.number)) == Set(0..<12))
    for group in groups {
      #expect(group.runID == "run" && group.seed == 42 && group.actor == "ada" && group.incarnation == 3)
      #expect(group.prompt == ["a cat", "a dog", "bee"][group.number % 3])
      #expect(group.timesteps == [999, 749, 499, 249])
      #expect(group.trajectories.count == 2)
      #expect(group.trajectories[0].states.values.prefix(256) == group.trajectories[1].states.values.prefix(256))
      #expect(group.trajectories[0].states.values != group.trajectories[1].states.values)
      for trajectory in group.trajectories {
        #expect(trajectory.states.shape == [5, 4, 8, 8] && trajectory.cleanStates.shape == [4, 4, 8, 8])
        #expect(trajectory.logProbabilities.count == 4 && trajectory.logProbabilities.allSatisfy(\.isFinite))
        #expect(Set(trajectory.scores.map(\.step)) == [0, trajectory.anchorStep, 3])
        for score in trajectory.scores {
          #expect(score.reward == "jpeg-compressibility" && !score.version.isEmpty)
          #expect(trajectory.denseRewards[score.step] == 2 * score.value!)
        }
      }
    }
  }

  @Test func `groups do not depend on the actor`() throws {
    let one = try run(wanted: 8).groups.sorted { $0.number < $1.number }
    let other = try run(wanted: 8, name: "bob").groups.sorted { $0.number < $1.number }
    #expect(one.map(\.number) == Array(0..<8) && other.map(\.number) == Array(0..<8))
    for (a, b) in zip(one, other) {
      #expect(a.trajectories.count == 2 && a.actor == "ada" && b.actor == "bob")
      #expect(a.trajectories.map(\.states.values) == b.trajectories.map(\.states.values))
      #expect(a.trajectories.map(\.denseRewards) == b.trajectories.map(\.denseRewards))
    }
  }

  @Test func `a group is delivered again until it is acknowledged`() throws {
    let seen = try run(wanted: 4, faults: .init(forgotten: 3)) { $0.redelivery = .milliseconds(100) }
    #expect(Set(seen.groups.map(\.number)) == Set(0..<4))
  }

  @Test func `sampling pauses while too many bytes wait for an acknowledgement`() throws {
    // A group has two trajectories of 9 states of 4 x 8 x 8 floats.
    let groupBytes = 2 * 9 * 4 * 8 * 8 * 4
    let seen = try run(wanted: 40, faults: .init(silentDuplicates: 60)) {
      $0.redelivery = .milliseconds(50)
      $0.configuration.sampling.batchSize = 2
      $0.configuration.network.undeliveredBytes = 6 * groupBytes
    }
    // Two batches may have been in progress when the limit was reached.
    #expect((6...10).contains(seen.groupsInSilence), "\(seen.groupsInSilence)")
    #expect(Set(seen.groups.map(\.number)) == Set(0..<40))
  }

  @Test func `an actor greets a restarted learner and loses no group`() throws {
    let seen = try run(wanted: 12, faults: .init(restartAfter: 5)) { $0.redelivery = .milliseconds(100) }
    #expect(Set(seen.groups.map(\.number)) == Set(0..<12))
    #expect(seen.hellos >= 2)
  }

  @Test func `an actor greets a learner that restarts slowly and refuses unknown actors`() throws {
    let seen = try run(wanted: 12, faults: .init(restartAfter: 5, deafness: 10)) { $0.redelivery = .milliseconds(100) }
    #expect(Set(seen.groups.map(\.number)) == Set(0..<12))
  }

  @Test func `assignments of a newer policy are sampled with that policy`() throws {
    let groups = try run(wanted: 16, policies: [policy(0, scale: 0), policy(1, scale: 3)]).groups
    let old = try run(wanted: 16).groups
    for group in groups {
      let same = try #require(old.first { $0.number == group.number })
      let equal = same.trajectories[0].states.values == group.trajectories[0].states.values
      #expect(group.policyVersion == (group.number < 8 ? 0 : 1))
      #expect(equal == (group.number < 8))
    }
  }

  @Test func `an absent router is skipped`() throws {
    let seen = try run(wanted: 8) { $0.configuration.network.routers.insert("tcp://127.0.0.1:1", at: 0) }
    for group in seen.groups { #expect(group.isScored) }
  }

  @Test func `a trajectory with a missing score has no dense rewards`() throws {
    let groups = try run(wanted: 2, rewards: ["jpeg-compressibility": 2, "first-byte": 1]).groups
    for trajectory in groups.flatMap(\.trajectories) {
      #expect(trajectory.denseRewards.isEmpty)
      #expect(trajectory.scores.contains { $0.reward == "first-byte" && $0.value == nil })
      #expect(trajectory.scores.contains { $0.reward == "jpeg-compressibility" && $0.value != nil })
    }
  }

  @Test func `a policy that does not match its announcement ends the actor`() throws {
    var few = policy(0, scale: 0)
    few.notice.tensorCount += 1
    #expect(try failure(policies: [few]).contains("tensors"))
    var damaged = policy(0, scale: 0)
    damaged.bytes[damaged.bytes.count - 1] ^= 1
    #expect(try failure(policies: [damaged]).contains("SHA-256"))
    var foreign = policy(0, scale: 0)
    foreign.bytes = Array("nothing like a safetensors file".utf8)
    foreign.notice = PolicyNotice(version: 0, bytes: foreign.bytes, tensorCount: 2)
    #expect(try failure(policies: [foreign]).contains("policy 0"))
  }

  @Test func `a refused actor ends with the reason`() throws {
    #expect(try failure(faults: .init(refusal: "this run has another model")).contains("this run has another model"))
  }

  @Test func `an actor without a learner ends with the endpoint and a hint`() throws {
    var options = ActorOptions(configuration(), name: "ada", incarnation: 1)
    options.configuration.network.learner = "tcp://127.0.0.1:1"
    options.configuration.network.connectTimeout = 0.1
    let actor = try ActorService(context, options, logger: logger)
    let error = #expect(throws: AbsentPeer.self) { try actor.join() }
    #expect(error?.description.contains("tcp://127.0.0.1:1") == true)
    #expect(error?.description.contains("stepwise-learner") == true)
  }

  @Test func `a missing model folder is named`() throws {
    var wrong = configuration()
    wrong.run.model = "/nowhere/model"
    do {
      _ = try ActorService(context, ActorOptions(wrong, name: "ada", incarnation: 1), logger: logger)
      Issue.record("expected an error")
    } catch { #expect("\(error)".contains("/nowhere/model")) }
  }

  @Test func `a stopped actor says goodbye`() throws {
    let learner = try FakeLearner(
      context, wanted: 1000, prompts: ["a cat"], policies: [policy(0, scale: 0)], faults: .init(finishes: false))
    let (router, server) = try rewardRoles(["jpeg-compressibility": 2])
    let actor = try start(learner, router, name: "ada")
    #expect(learner.wait(for: .group))
    actor.stop()
    #expect(try actor.join().hasPrefix("stopped with 0 groups"))
    #expect(learner.wait(for: .goodbye))
    server.stop()
    try server.join()
    router.stop()
    try router.join()
    try learner.stop()
  }

  // MARK: - Helpers

  func configuration(rewards: [String: Float] = ["jpeg-compressibility": 2]) -> Configuration {
    var configuration = Configuration()
    configuration.run.model = model.path
    configuration.sampling.batchSize = 4
    configuration.reward.weights = rewards
    return configuration
  }

  /// A policy whose B matrices are all `scale` / 100.
  func policy(_ version: Int, scale: Float) -> FakeLearner.Policy {
    do {
      let unet = try UNet2DCondition(folder: model.appending(path: "unet"))
      try unet.addLoRA(rank: 2, alpha: 2, random: RandomStream(seed: 5))
      for parameter in unet.loraParameters where parameter.name.contains("lora_B") {
        parameter.value = Tensor(repeating: scale / 100, shape: parameter.value.shape)
      }
      let bytes = unet.loraWriter().encoded()
      let notice = PolicyNotice(version: version, bytes: bytes, tensorCount: unet.loraParameters.count)
      return FakeLearner.Policy(bytes: bytes, notice: notice)
    } catch { fatalError("\(error)") }
  }

  func rewardRoles(_ rewards: [String: Float]) throws -> (RouterService, ScoringService) {
    let router = try RouterService(
      context, front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*",
      network: NetworkSettings { $0.heartbeatInterval = 0.05 }, logger: logger)
    let options = ScoringOptions(
      name: "scorer", reward: RewardSettings { $0.requestsAtOnce = 2 },
      network: NetworkSettings {
        $0.routerBackends = [router.endpoints.back]
        $0.heartbeatInterval = 0.05
      })
    let server = try ScoringService(context, options, logger: logger) {
      try rewards.keys.sorted().map { $0 == "first-byte" ? Unable() : try ScorerRegistry.make($0, RewardSettings()) }
    }
    return (router, server)
  }

  struct Unable: Scorer {
    let name = "first-byte"
    let version = "1"

    func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
      prompts.map { _ in nil }
    }
  }

  func start(
    _ learner: FakeLearner, _ router: RouterService, name: String,
    rewards: [String: Float] = ["jpeg-compressibility": 2],
    _ change: (inout ActorOptions) -> Void = { _ in }
  ) throws -> ActorService {
    var options = ActorOptions(configuration(rewards: rewards), name: name, incarnation: 3)
    options.configuration.network.learner = learner.endpoints.learner
    options.configuration.network.notices = learner.endpoints.notices
    options.configuration.network.routers = [router.endpoints.front]
    options.configuration.network.heartbeatInterval = 0.05
    change(&options)
    return try ActorService(context, options, logger: logger)
  }

  func run(
    wanted: Int, policies: [FakeLearner.Policy]? = nil, faults: FakeLearner.Faults = .init(),
    endpoint: String = "tcp://127.0.0.1:*", name: String = "ada",
    rewards: [String: Float] = ["jpeg-compressibility": 2], _ change: (inout ActorOptions) -> Void = { _ in }
  ) throws -> FakeLearner.Seen {
    let learner = try FakeLearner(
      context, wanted: wanted, prompts: ["a cat", "a dog", "bee"], policies: policies ?? [policy(0, scale: 0)],
      faults: faults, endpoint: endpoint)
    let (router, server) = try rewardRoles(rewards)
    let actor = try start(learner, router, name: name, rewards: rewards, change)
    let result = Result { try actor.join() }
    server.stop()
    try server.join()
    router.stop()
    try router.join()
    try learner.stop()
    #expect(try result.get().contains("enough"))
    return learner.found
  }

  func failure(
    policies: [FakeLearner.Policy]? = nil, faults: FakeLearner.Faults = .init()
  ) throws -> String {
    do {
      _ = try run(wanted: 2, policies: policies, faults: faults)
      return "no failure"
    } catch { return "\(error)" }
  }
}
