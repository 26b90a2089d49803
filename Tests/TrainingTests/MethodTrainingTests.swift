// Every method trains from groups to policies, goes on exactly where it was stopped, and does not mind the way that
// groups took.

import Configuration
import Engine
import Foundation
import Learner
import Messages
import Replay
import Telemetry
import Testing
import Training

@Suite("Methods in training", .serialized)
struct MethodTrainingTests {
  private func run(_ method: MethodName) throws -> SmallRun {
    var run = try SmallRun()
    run.configuration.training.algorithm = method
    run.configuration.training.epochs = 3
    run.configuration.sampling.groupsPerEpoch = 4
    run.configuration.checkpoint.every = 1
    run.configuration.evaluation.every = 0
    run.configuration.branches.shortestInterval = 1
    run.configuration.branches.longestInterval = 2
    run.configuration.branches.stages = 2
    if method == .b2DiffuRL { run.configuration.sampling.groupSize = 3 }
    return run
  }

  @discardableResult
  private func train(_ run: SmallRun, _ change: (SamplingIntake) -> Void = { _ in }) throws -> SamplingIntake {
    try run.train { intake in
      if run.configuration.training.algorithm == .b2DiffuRL { intake.branchStep = { [1, 0, 0][$0] } }
      change(intake)
    }
  }

  private func weights(_ run: SmallRun) throws -> [Data] {
    try ["pytorch_lora_weights.safetensors", "optimizer.safetensors", "state.json"].map {
      try Data(contentsOf: run.runFolder.appending(path: "checkpoints/latest/" + $0))
    }
  }

  @Test("A stopped run goes on to the same weights to the bit", arguments: [MethodName.sdpo, .ddpo, .b2DiffuRL])
  func exactResume(method: MethodName) throws {
    let whole = try run(method), parts = try run(method)
    defer { [whole, parts].forEach { $0.remove() } }
    let intake = try train(whole)
    #expect(Set(intake.published.map(\.bytes)).count == 4)
    try train(parts) { $0.stopsBefore = 2 }
    try train(parts)
    #expect(try weights(parts) == weights(whole))
    let records = try MetricsRecord.read(whole.runFolder.appending(path: "metrics.jsonl"))
    for record in records {
      #expect(try #require(record.values["policy/fresh_ratio_error"]) <= 1e-4)
      #expect(try #require(record.values["epoch/units"]) > 0)
    }
  }

  @Test(
    "A group that went over the wire and through the replay trains as it did before",
    arguments: [MethodName.sdpo, .ddpo, .b2DiffuRL])
  func wireAndReplay(method: MethodName) throws {
    let straight = try run(method), stored = try run(method)
    defer { [straight, stored].forEach { $0.remove() } }
    try train(straight)
    let store = try ReplayStore(
      folder: stored.folder.appending(path: "replay"),
      origin: ReplayOrigin(runID: "test", modelHash: "hash", configuration: ""))
    try train(stored) { $0.passThrough(store) }
    #expect(try weights(stored) == weights(straight))
  }

  @Test("Groups that do not share the states they should are refused")
  func branchesElsewhere() throws {
    let run = try run(.b2DiffuRL)
    defer { run.remove() }
    let error = #expect(throws: TrainingError.self) { try run.train() }
    #expect(error?.description.contains("states shared up to step 1") == true)
  }
}
