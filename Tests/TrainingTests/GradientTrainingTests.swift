// Methods that train with the gradient of a reward: of reward servers, a proxy, or a latent surrogate.

import Configuration
import Foundation
import Telemetry
import Testing
import Training

@Suite(.serialized) struct GradientTrainingTests {
  @Test(arguments: [MethodName.draftKL, .draftLV, .refl])
  func `a method changes the policy`(method: MethodName) throws {
    var run = try SmallRun(method)
    defer { run.remove() }
    run.configuration.training.epochs = 1
    let intake = try run.train(gradients: Brightness())
    #expect(intake.published[0].bytes != intake.published[1].bytes)
    #expect(try #require(try run.metrics()[0].values["gradient/reward"]) > 0)
  }

  @Test(arguments: [MethodName.sqdf, .draftK])
  func `the reward and the divergence rise`(method: MethodName) throws {
    var run = try SmallRun(method)
    defer { run.remove() }
    run.configuration.training.epochs = 5
    run.configuration.training.learningRate = 3e-3
    run.configuration.gradient.replayRatio = 2
    try run.train(gradients: Brightness())
    let records = try run.metrics()
    let rewards = records.compactMap { $0.values["gradient/reward"] }
    #expect(rewards.count == 5 && rewards[4] > rewards[0])
    let divergences = records.compactMap { $0.values["gradient/divergence"] }
    #expect(divergences.count == 5 && divergences[0] < divergences[4])
    // Twice as many starting states as trajectories.
    #expect(records.allSatisfy { $0.values["epoch/units"] == 8 })
  }

  @Test func `requested scores and gradients are counted as queries`() throws {
    var served = try SmallRun(.sqdf), learned = try SmallRun(.sqdf, proxy: true)
    // The reward of `SamplingIntake`.
    served.configuration.reward.weights = ["channel": 1]
    learned.configuration.reward.weights = ["channel": 1]
    defer { [served, learned].forEach { $0.remove() } }
    let reward = Brightness()
    try served.train(gradients: reward)
    try learned.train()
    let trajectories = 4.0
    #expect(try served.metrics().map { $0.values["reward/queries"] } == [2 * trajectories, 2 * trajectories])
    #expect(reward.scored == Int(2 * trajectories))
    #expect(try learned.metrics().map { $0.values["reward/queries"] } == [trajectories, trajectories])
    // Both trajectories of a pair start with the same clean state.
    var pairs = try SmallRun()
    defer { pairs.remove() }
    pairs.configuration.reward.weights = ["channel": 1]
    try pairs.train()
    #expect(try pairs.metrics().allSatisfy { $0.values["reward/queries"] == 6 * 3 })
  }

  @Test func `a picture without a score is left out and counted`() throws {
    let run = try SmallRun(.draftK)
    var none = try SmallRun(.draftK)
    none.configuration.training.epochs = 3
    defer { [run, none].forEach { $0.remove() } }
    try run.train(gradients: Brightness(missing: [1, 5, 6]))
    #expect(try run.metrics().map { $0.values["gradient/missing"] } == [1, 2])
    // Without any score the policy does not change.
    let intake = try none.train(gradients: Brightness(missing: Set(4..<8)))
    #expect(intake.published[1].bytes == intake.published[2].bytes)
    #expect(intake.published[2].bytes != intake.published[3].bytes)
  }

  @Test func `a surrogate that does not rank held-out pairs is fitted again, and the policy is not trained`() throws {
    var run = try SmallRun(.lasro)
    defer { run.remove() }
    run.configuration.lasro.minimumAccuracy = 1
    run.configuration.lasro.refits = 1
    run.configuration.lasro.learningRate = 1e-9
    let intake = try run.train()
    for record in try run.metrics() {
      let accuracy = try #require(record.values["surrogate/accuracy"])
      #expect(record.values["surrogate/followed"] == (accuracy >= 1 ? 1 : 0))
      #expect(record.values["surrogate/fits"] == (accuracy >= 1 ? 1 : 2))
    }
    let followed = try run.metrics().filter { $0.values["surrogate/followed"] == 1 }.count
    #expect(Set(intake.published.map(\.bytes)).count == 1 + followed)
  }

  @Test func `a surrogate learns to rank from an offline replay`() throws {
    var run = try SmallRun(.lasro)
    defer { run.remove() }
    let folder = run.folder.appending(path: "offline")
    let source = try SamplingIntake(run.configuration)
    try source.passThrough(folder)
    _ = try source.groups(ofEpoch: 0)
    run.configuration.lasro.offlineReplay = folder.path
    run.configuration.lasro.warmupSteps = 40
    run.configuration.lasro.learningRate = 3e-3
    try run.train()
    #expect(try #require(try run.metrics().first?.values["surrogate/accuracy_before"]) > 0.5)
  }

  @Test(arguments: [MethodName.sqdf, .draftK, .refl])
  func `a method that needs gradients is refused without reward servers`(method: MethodName) throws {
    let run = try SmallRun(method)
    defer { run.remove() }
    let error = #expect(throws: TrainingError.self) { try run.train() }
    #expect(error?.description.contains("gradient.source") == true)
    #expect(!FileManager.default.fileExists(atPath: run.runFolder.path))
  }
}
