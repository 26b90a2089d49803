// Methods that follow a reward's gradient, in training: from served gradients, a learned proxy, or a latent surrogate.

import Configuration
import Engine
import Foundation
import Learner
import Messages
import Replay
import Telemetry
import Testing
import Training

/// Bright pictures are rewarded: 10 times the mean pixel. A picture of these indices (counted over all calls) has no
/// score.
final class Brightness: PixelGradients {
  private let missing: Set<Int>
  private(set) var scored = 0

  init(missing: Set<Int> = []) { self.missing = missing }

  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor) {
    let count = pixels.shape[0], weight = 10 / Float(pixels.count / count)
    let means = (pixels * 10).mean(axes: [1, 2, 3]).values
    let isMissing = (0..<count).map { missing.contains(scored + $0) }
    scored += count
    return (
      zip(means, isMissing).map { $1 ? nil : $0 },
      Tensor(repeating: weight, shape: pixels.shape) * Tensor(isMissing.map { $0 ? 0 : 1 }, shape: [count, 1, 1, 1])
    )
  }
}

@Suite("Reward-gradient methods in training", .serialized)
struct GradientTrainingTests {
  private static let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Golden")

  /// - Parameter method: or `proxy`: sqdf by a learned reward.
  private func run(_ method: String) throws -> SmallRun {
    var run = try SmallRun()
    run.configuration.training.algorithm = method == "proxy" ? .sqdf : try #require(MethodName(rawValue: method))
    run.configuration.training.epochs = 2
    run.configuration.checkpoint.every = 1
    run.configuration.evaluation.every = 0
    run.configuration.sampling.groupsPerEpoch = 2
    run.configuration.gradient.sampling = .uniform
    run.configuration.gradient.masksNonPositive = false
    run.configuration.gradient.divergenceWeight = 0.001
    run.configuration.gradient.replayEpochs = 2
    run.configuration.gradient.differentiatedSteps = 2
    run.configuration.gradient.source = method == "proxy" ? .proxy : .server
    run.configuration.proxy.embeddingModel = Self.golden.appending(path: "models/clip-vision").path
    run.configuration.proxy.passes = 3
    run.configuration.lasro.warmupEpochs = 1
    run.configuration.lasro.warmupSteps = 4
    run.configuration.lasro.steps = 2
    run.configuration.lasro.pairsPerStep = 3
    run.configuration.lasro.heldOutEvery = 2
    run.configuration.lasro.minimumAccuracy = 0
    return run
  }

  private func weights(_ run: SmallRun) throws -> [Data] {
    let folder = run.runFolder.appending(path: "checkpoints/latest")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
      try Data(contentsOf: folder.appending(path: $0))
    }
  }

  private func metrics(_ run: SmallRun) throws -> [MetricsRecord] {
    try MetricsRecord.read(run.runFolder.appending(path: "metrics.jsonl"))
  }

  @Test("Comparators move the policy", arguments: ["draft-kl", "draft-lv", "refl"])
  func moves(method: String) throws {
    var run = try run(method)
    defer { run.remove() }
    run.configuration.training.epochs = 1
    let intake = try run.train(gradients: Brightness())
    #expect(intake.published[0].bytes != intake.published[1].bytes)
    #expect(try #require(try metrics(run)[0].values["gradient/reward"]) > 0)
  }

  @Test(
    "A stopped run goes on to the same weights to the bit, its learned reward's among them",
    arguments: ["sqdf", "draft-k", "lasro", "proxy"])
  func exactResume(method: String) throws {
    let whole = try run(method), parts = try run(method)
    defer { [whole, parts].forEach { $0.remove() } }
    let intake = try whole.train(gradients: Brightness())
    // The surrogate alone is trained in lasro's first epoch.
    #expect(Set(intake.published.map(\.bytes)).count == (method == "lasro" ? 2 : 3))
    let first = try parts.train(gradients: Brightness()) { $0.stopsBefore = 1 }
    try parts.train(gradients: Brightness()) { $0.given = first.given }
    #expect(try weights(parts) == weights(whole))
    #expect(try weights(whole).count == (["lasro", "proxy"].contains(method) ? 4 : 3))
    for record in try metrics(whole) {
      #expect(try #require(record.values["policy/fresh_ratio_error"]) <= 1e-4)
      #expect(record.values["gradient/reward"] != nil || (method == "lasro" && record.step == 0))
    }
  }

  @Test("A group that went over the wire and through the replay trains as it did before", arguments: ["sqdf", "lasro"])
  func wireAndReplay(method: String) throws {
    let straight = try run(method), stored = try run(method)
    defer { [straight, stored].forEach { $0.remove() } }
    try straight.train(gradients: Brightness())
    let store = try ReplayStore(
      folder: stored.folder.appending(path: "replay"),
      origin: ReplayOrigin(runID: "test", modelHash: "hash", configuration: ""))
    try stored.train(gradients: Brightness()) { $0.passThrough(store) }
    #expect(try weights(stored) == weights(straight))
  }

  @Test("The reward rises, and the divergence with it", arguments: ["sqdf", "draft-k"])
  func learns(method: String) throws {
    var run = try run(method)
    defer { run.remove() }
    run.configuration.training.epochs = 5
    run.configuration.training.learningRate = 3e-3
    run.configuration.gradient.replayRatio = 2
    try run.train(gradients: Brightness())
    let records = try metrics(run)
    let rewards = records.compactMap { $0.values["gradient/reward"] }
    #expect(rewards.count == 5 && rewards[4] > rewards[0])
    let divergences = records.compactMap { $0.values["gradient/divergence"] }
    #expect(divergences.count == 5 && divergences[0] < divergences[4])
    // Twice as many starts as trajectories.
    #expect(records.allSatisfy { $0.values["epoch/units"] == 8 })
  }

  @Test("Scores and gradients that servers were asked for are counted as queries")
  func queries() throws {
    var served = try run("sqdf"), learned = try run("proxy")
    // What the samples of `SamplingIntake` are scored by.
    served.configuration.reward.weights = ["channel": 1]
    learned.configuration.reward.weights = ["channel": 1]
    defer { [served, learned].forEach { $0.remove() } }
    let reward = Brightness()
    try served.train(gradients: reward)
    try learned.train()
    let trajectories = 4.0
    #expect(try metrics(served).map { $0.values["reward/queries"] } == [2 * trajectories, 2 * trajectories])
    #expect(reward.scored == Int(2 * trajectories))
    #expect(try metrics(learned).map { $0.values["reward/queries"] } == [trajectories, trajectories])
    // Both trajectories of a pair begin with the same clean state.
    var pairs = try SmallRun()
    defer { pairs.remove() }
    pairs.configuration.reward.weights = ["channel": 1]
    try pairs.train()
    #expect(try metrics(pairs).allSatisfy { $0.values["reward/queries"] == 6 * 3 })
  }

  @Test("A picture without a score takes no part and is counted")
  func missingScores() throws {
    let run = try self.run("draft-k")
    var none = try self.run("draft-k")
    none.configuration.training.epochs = 3
    defer { [run, none].forEach { $0.remove() } }
    try run.train(gradients: Brightness(missing: [1, 5, 6]))
    #expect(try metrics(run).map { $0.values["gradient/missing"] } == [1, 2])
    // Where none came at all the policy stays what it is.
    let intake = try none.train(gradients: Brightness(missing: Set(4..<8)))
    #expect(intake.published[1].bytes == intake.published[2].bytes)
    #expect(intake.published[2].bytes != intake.published[3].bytes)
  }

  @Test("A surrogate that does not rank held-out pairs is fitted again, and the policy is not moved by it")
  func surrogateThatDoesNotRank() throws {
    var run = try run("lasro")
    defer { run.remove() }
    run.configuration.lasro.warmupEpochs = 0
    run.configuration.lasro.minimumAccuracy = 1
    run.configuration.lasro.refits = 1
    run.configuration.lasro.learningRate = 1e-9
    let intake = try run.train()
    for record in try metrics(run) {
      let accuracy = try #require(record.values["surrogate/accuracy"])
      #expect(record.values["surrogate/followed"] == (accuracy >= 1 ? 1 : 0))
      #expect(record.values["surrogate/fits"] == (accuracy >= 1 ? 1 : 2))
    }
    let followed = try metrics(run).filter { $0.values["surrogate/followed"] == 1 }.count
    #expect(Set(intake.published.map(\.bytes)).count == 1 + followed)
  }

  @Test("A surrogate learns to rank from an offline replay")
  func offlineReplay() throws {
    var run = try run("lasro")
    defer { run.remove() }
    let folder = run.folder.appending(path: "offline")
    let store = try ReplayStore(
      folder: folder, origin: ReplayOrigin(runID: "test", modelHash: "hash", configuration: ""))
    let source = try SamplingIntake(run.configuration)
    for group in try #require(try source.groups(ofEpoch: 0)) {
      try store.append(group, bytes: Message.group(group).encode())
    }
    try store.seal()
    run.configuration.lasro.offlineReplay = folder.path
    run.configuration.lasro.warmupSteps = 40
    run.configuration.lasro.learningRate = 3e-3
    try run.train()
    #expect(try #require(try metrics(run).first?.values["surrogate/accuracy_before"]) > 0.5)
  }

  @Test("A method that follows gradients is refused where there are none to ask", arguments: ["sqdf", "draft-k", "refl"])
  func refusals(method: String) throws {
    let run = try run(method)
    defer { run.remove() }
    let error = #expect(throws: TrainingError.self) { try run.train() }
    #expect(error?.description.contains("gradient.source") == true)
    #expect(!FileManager.default.fileExists(atPath: run.runFolder.path))
  }
}
