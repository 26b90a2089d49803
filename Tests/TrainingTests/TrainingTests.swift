// Training from groups to policies and checkpoints, on a small random model.

import Configuration
import Diffusion
import Engine
import Foundation
import Layers
import Learner
import Logging
import Messages
import Models
import Telemetry
import Testing
import Training

@Suite(.serialized) struct TrainingTests {
  private func adapter(_ run: SmallRun) throws -> [UInt8] {
    try Array(Data(contentsOf: run.runFolder.appending(path: "checkpoints/latest/pytorch_lora_weights.safetensors")))
  }

  @Test func `a run publishes one policy per epoch, and writes metrics, pictures and checkpoints`() throws {
    let run = try SmallRun()
    defer { run.remove() }
    let intake = try run.train()
    #expect(intake.published.map(\.version) == [0, 1, 2, 3, 4])
    #expect(Set(intake.published.map(\.bytes)).count == 5)
    let records = try run.metrics()
    #expect(records.map(\.step) == [0, 1, 2, 3])
    for (record, reward) in zip(records, intake.rewards) {
      #expect(try #require(record.values["policy/fresh_ratio_error"]) <= 1e-4)
      let mean = reward.reduce(0) { $0 + Double($1) } / Double(reward.count)
      #expect(abs(try #require(record.values["reward/mean"]) - mean) < 1e-5)
      #expect(record.values["epoch/groups"] == 6 && record.values["epoch/missing"] == 0)
      // Two steps of six pairs, with two minibatches of two pairs per update; the last update of a step has one.
      #expect(record.values["epoch/updates"] == 4)
      #expect(try #require(record.values["policy/gradient_norm"]) > 0)
      #expect(record.values["policy/staleness"] == 0)
    }
    #expect(try adapter(run) == intake.published[4].bytes)
    let names = try FileManager.default.contentsOfDirectory(
      atPath: run.runFolder.appending(path: "checkpoints").path).sorted()
    #expect(names == ["latest", "step-000002", "step-000004"])
    #expect(
      FileManager.default.fileExists(atPath: run.runFolder.appending(path: "samples/epoch-0.png").path))
  }

  @Test(arguments: [2, 3])
  func `a stopped run resumes to the same weights to the bit`(stop: Int) throws {
    let whole = try SmallRun(), parts = try SmallRun()
    defer {
      whole.remove()
      parts.remove()
    }
    try whole.train()
    let first = try parts.train { $0.stopsBefore = stop }
    #expect(first.published.last?.version == stop)
    let second = try parts.train()
    #expect(second.published.map(\.version) == Array(stop...4))
    #expect(try adapter(parts) == adapter(whole))
    #expect(try parts.metrics().map(\.step) == [0, 1, 2, 3])
    #expect(try parts.checkpoint() == whole.checkpoint())
  }

  @Test func `a run that was stopped within an epoch repeats it, and reaches the same weights to the bit`() throws {
    let whole = try SmallRun()
    defer { whole.remove() }
    let questions = try whole.train { $0.stopsAtQuestion = .max }.questions
    try #require(questions > 20)
    for stop in stride(from: 1, through: questions, by: max(1, questions / 6)) {
      let parts = try SmallRun()
      defer { parts.remove() }
      let first = try parts.train { $0.stopsAtQuestion = stop }
      let second = try parts.train()
      #expect(second.published.first?.version == first.published.last?.version)
      #expect(try adapter(parts) == adapter(whole), "stopped at question \(stop) of \(questions)")
      #expect(try parts.metrics().map(\.step) == [0, 1, 2, 3])
      #expect(try parts.checkpoint() == whole.checkpoint())
    }
  }

  @Test func `the weights depend on the seed, and not on the order in which groups arrive`() throws {
    let straight = try SmallRun(), reversed = try SmallRun()
    var other = try SmallRun()
    other.configuration.run.seed = 2
    defer { [straight, reversed, other].forEach { $0.remove() } }
    try straight.train()
    try reversed.train { $0.change = { $0.reversed() } }
    try other.train()
    #expect(try adapter(straight) == adapter(reversed))
    #expect(try adapter(straight) != adapter(other))
  }

  @Test func `a group does not depend on the other groups of its batch`() throws {
    let run = try SmallRun()
    defer { run.remove() }
    let model = try TextToImageModel(folder: URL(filePath: run.configuration.run.model))
    let sampler = try DualStateSampler(DDIM(schedule: NoiseSchedule(folder: model.folder), steps: 2, eta: 1))
    let text = try model.encode(["cat"])
    func sample(_ numbers: [Int]) -> [[Float]] {
      let found = sampler.sample(
        groups: numbers.map { GroupNoise(seed: 1, number: $0) }, groupSize: 2, shape: model.latentShape,
        conditioning: Conditioning(text: text.rows(numbers.map { _ in 0 })), batchSize: 4,
        denoiser: { model.unet($0, timesteps: $1, encoderHiddenStates: $2) })
      return numbers.indices.map { found.states.slice(axis: 0, 2 * $0..<2 * $0 + 2).values }
    }
    let together = sample(Array(0..<7))
    #expect(sample([5])[0] == together[5])
    #expect(sample([6, 0, 2, 1, 4]) == [6, 0, 2, 1, 4].map { together[$0] })
  }

  @Test func `a group without all scores is left out, and an epoch without groups does not change the policy`() throws {
    let run = try SmallRun()
    defer { run.remove() }
    let intake = try run.train { intake in
      intake.change = { groups in
        groups.map { group in
          var group = group
          if group.epoch == 1 || group.number == 3 { group.trajectories[1].denseRewards = [] }
          return group
        }
      }
    }
    let records = try run.metrics()
    #expect(records.map { $0.values["epoch/missing"] } == [1, 6, 0, 0])
    #expect(records.map { $0.values["epoch/groups"] } == [5, 0, 6, 6])
    #expect(records[1].values["reward/mean"] == nil)
    #expect(intake.published[1].bytes == intake.published[2].bytes)
    #expect(intake.published[2].bytes != intake.published[3].bytes)
  }

  @Test func `training raises the reward of the same noise by at least three standard errors`() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.training.epochs = 12
    run.configuration.training.learningRate = 3e-3
    run.configuration.sampling.groupsPerEpoch = 16
    run.configuration.training.minibatchSize = 8
    run.configuration.training.accumulation = 1
    run.configuration.evaluation.every = 0
    let intake = try run.train()
    // The noise of the first epoch again, with the last policy.
    let before = try #require(intake.rewards.first), after = try intake.rewards(ofEpoch: 0)
    let gains = zip(after, before).map { Double($0 - $1) }
    let mean = gains.reduce(0, +) / Double(gains.count)
    let variance = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gains.count - 1)
    let error = (variance / Double(gains.count)).squareRoot()
    #expect(mean > 3 * error, "gain \(mean), standard error \(error)")
  }

  @Test func `guided groups and groups of older policies can be trained on, and older groups are not fresh`() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.sampling.guidanceScale = 3
    run.configuration.training.epochs = 2
    try run.train { intake in
      intake.change = { groups in
        groups.map { group in
          var group = group
          if group.epoch == 1 { group.policyVersion = 0 }
          return group
        }
      }
    }
    let records = try run.metrics()
    #expect(try #require(records[0].values["policy/fresh_ratio_error"]) <= 1e-4)
    #expect(records[1].values["policy/fresh_ratio_error"] == nil)
    #expect(records[1].values["policy/staleness"] == 1)
  }

  @Test func `groups with other sampling settings and checkpoints of another run are refused`() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.training.epochs = 1
    var group = try #require(try run.train().given[0])
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let objection = try TrainingWorker(run.configuration, log: log).objection
    #expect(objection(group) == nil)
    group.eta = 0.5
    #expect(objection(group)?.contains("expected eta 1.0, found 0.5") == true)
    run.configuration.run.seed = 9
    let seed = #expect(throws: TrainingError.self) { try run.train() }
    #expect(seed?.description.contains("run.seed") == true)
    run.configuration.run.seed = 1
    run.configuration.training.loraRank = 2
    let rank = #expect(throws: TrainingError.self) { try run.train() }
    #expect(rank?.description.contains("loraRank") == true)
  }

  @Test func `files of an interrupted save are removed, and only the newest checkpoints are kept`() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.checkpoint.every = 1
    run.configuration.checkpoint.keep = 2
    let folder = run.runFolder.appending(path: "checkpoints")
    try FileManager.default.createDirectory(
      at: folder.appending(path: ".partial-step-000001-1"), withIntermediateDirectories: true)
    try run.train()
    let files = FileManager.default
    #expect(try files.contentsOfDirectory(atPath: folder.path).sorted() == ["latest", "step-000003", "step-000004"])
    #expect(try files.destinationOfSymbolicLink(atPath: folder.appending(path: "latest").path) == "step-000004")
  }
}
