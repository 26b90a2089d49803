// The learner's training, from groups to policies and checkpoints, on a small random model.

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

@Suite("Training", .serialized)
struct TrainingTests {
  private func adapter(_ run: SmallRun) throws -> [UInt8] {
    try Array(Data(contentsOf: run.runFolder.appending(path: "checkpoints/latest/pytorch_lora_weights.safetensors")))
  }

  private func metrics(_ run: SmallRun) throws -> [MetricsRecord] {
    try MetricsRecord.read(run.runFolder.appending(path: "metrics.jsonl"))
  }

  @Test("A run publishes a policy an epoch, logs its health, and leaves checkpoints that say what they are")
  func wholeRun() throws {
    let run = try SmallRun()
    defer { run.remove() }
    let intake = try run.train()
    #expect(intake.published.map(\.version) == [0, 1, 2, 3, 4])
    #expect(Set(intake.published.map(\.bytes)).count == 5)
    let records = try metrics(run)
    #expect(records.map(\.step) == [0, 1, 2, 3])
    for (record, reward) in zip(records, intake.rewards) {
      #expect(try #require(record.values["policy/fresh_ratio_error"]) <= 1e-4)
      let mean = reward.reduce(0) { $0 + Double($1) } / Double(reward.count)
      #expect(abs(try #require(record.values["reward/mean"]) - mean) < 1e-5)
      #expect(record.values["epoch/groups"] == 6 && record.values["epoch/missing"] == 0)
      // Two slots of six groups, four to an optimiser step.
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

  @Test("A run that was stopped goes on to the same weights to the bit", arguments: [2, 3])
  func exactResume(stop: Int) throws {
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
    #expect(try metrics(parts).map(\.step) == [0, 1, 2, 3])
    for file in ["optimizer.safetensors", "state.json"] {
      let place = "checkpoints/latest/" + file
      #expect(
        try Data(contentsOf: parts.runFolder.appending(path: place))
          == Data(contentsOf: whole.runFolder.appending(path: place)), "\(file) differs")
    }
  }

  @Test("A run that was stopped in the middle of an epoch goes on from its beginning to the same weights to the bit")
  func interruption() throws {
    let whole = try SmallRun()
    defer { whole.remove() }
    let questions = try whole.train { $0.stopsAtQuestion = .max }.questions
    // Otherwise nothing below stops within an epoch.
    try #require(questions > 20)
    for stop in stride(from: 1, through: questions, by: max(1, questions / 6)) {
      let parts = try SmallRun()
      defer { parts.remove() }
      let first = try parts.train { $0.stopsAtQuestion = stop }
      let second = try parts.train()
      #expect(second.published.first?.version == first.published.last?.version)
      #expect(try adapter(parts) == adapter(whole), "stopped at question \(stop) of \(questions)")
      #expect(try metrics(parts).map(\.step) == [0, 1, 2, 3])
      let place = "checkpoints/latest/optimizer.safetensors"
      #expect(
        try Data(contentsOf: parts.runFolder.appending(path: place))
          == Data(contentsOf: whole.runFolder.appending(path: place)))
    }
  }

  @Test("The order in which groups arrive makes no difference, another seed does")
  func arrivalOrder() throws {
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

  @Test("A group's content does not depend on the groups it was sampled with")
  func batchIndependence() throws {
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

  @Test("A group that misses a score is left out and counted, and an epoch without any group changes nothing")
  func missingScores() throws {
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
    let records = try metrics(run)
    #expect(records.map { $0.values["epoch/missing"] } == [1, 6, 0, 0])
    #expect(records.map { $0.values["epoch/groups"] } == [5, 0, 6, 6])
    #expect(records[1].values["reward/mean"] == nil)
    #expect(intake.published[1].bytes == intake.published[2].bytes)
    #expect(intake.published[2].bytes != intake.published[3].bytes)
  }

  @Test("The policy learns: from the same noise the reward rises by several standard errors")
  func learns() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.training.epochs = 12
    run.configuration.training.learningRate = 3e-3
    run.configuration.sampling.groupsPerEpoch = 16
    run.configuration.training.minibatchSize = 8
    run.configuration.training.accumulation = 1
    run.configuration.evaluation.every = 0
    let intake = try run.train()
    // The first epoch's noise again, now with the last policy.
    let before = try #require(intake.rewards.first), after = try intake.rewards(ofEpoch: 0)
    let gains = zip(after, before).map { Double($0 - $1) }
    let mean = gains.reduce(0, +) / Double(gains.count)
    let variance = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gains.count - 1)
    let error = (variance / Double(gains.count)).squareRoot()
    #expect(mean > 3 * error, "gain \(mean), standard error \(error)")
  }

  @Test("Guidance and older policies train as well, and older groups are not called fresh")
  func guidanceAndLag() throws {
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
    let records = try metrics(run)
    #expect(try #require(records[0].values["policy/fresh_ratio_error"]) <= 1e-4)
    #expect(records[1].values["policy/fresh_ratio_error"] == nil)
    #expect(records[1].values["policy/staleness"] == 1)
  }

  @Test("Groups with other sampling settings and checkpoints of another run are refused")
  func refusals() throws {
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

  @Test("What an interrupted save left is cleared away, and only so many checkpoints are kept")
  func checkpointsKept() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.checkpoint.every = 1
    run.configuration.checkpoint.keep = 2
    let folder = run.runFolder.appending(path: "checkpoints")
    try FileManager.default.createDirectory(
      at: folder.appending(path: ".partial-step-000001-1"), withIntermediateDirectories: true)
    try run.train()
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        == ["latest", "step-000003", "step-000004"])
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.appending(path: "latest").path) == "step-000004")
  }
}
