// Reward normalization works with every method, whichever states the method scores, and an epoch whose groups are all
// left out is reported with the reason.

import Configuration
import Fixtures
import Foundation
import Logging
import Messages
import Settings
import Synchronization
import Telemetry
import Testing
import Training

private final class Warnings: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  var logger: Logger { Logger(label: "test") { _ in Handler(warnings: self) } }

  private struct Handler: LogHandler {
    let warnings: Warnings
    var logLevel = Logger.Level.warning
    var metadata: Logger.Metadata = [:]
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { warnings.lines.withLock { $0.append("\(event.message)") } }
  }
}

@Suite(.serialized) struct NormalizedRewardTests {
  private func run(_ method: MethodName) throws -> SmallRun {
    var run = try SmallRun()
    run.configuration.chooseSmall(method)
    run.configuration.sampling.groupsPerEpoch = 4
    // The reward of `SamplingIntake`.
    run.configuration.reward.weights = ["channel": 2]
    run.configuration.reward.normalizationWindow = 64
    run.configuration.evaluation.every = 0
    return run
  }

  @Test(arguments: MethodName.allCases)
  func `every method trains on groups whose rewards are normalized`(method: MethodName) throws {
    let run = try run(method)
    defer { run.remove() }
    let intake = try run.train(gradients: Brightness())
    let records = try run.metrics()
    #expect(records.count == 2)
    for record in records {
      #expect(record.values["epoch/groups"] == 4 && record.values["epoch/missing"] == 0)
      #expect(try #require(record.values["epoch/updates"]) > 0)
    }
    // The window holds all scores of the first epoch: the last states' rewards are weight times a mean of 0, except for
    // sdpo, whose window also holds the scores of earlier states.
    if method != .sdpo { #expect(abs(try #require(records[0].values["reward/mean"])) < 1e-4) }
    #expect(intake.published[1].bytes != intake.published[2].bytes)
  }

  @Test func `an epoch whose groups are all left out is a warning that gives the reason`() throws {
    var run = try run(.ddpo)
    defer { run.remove() }
    run.configuration.training.epochs = 3
    let warnings = Warnings()
    try run.train(log: warnings.logger) { intake in
      intake.change = { groups in
        var groups = groups
        for index in groups.indices where groups[index].epoch > 0 {
          for member in groups[index].trajectories.indices {
            groups[index].trajectories[member].denseRewards = []
            // Epoch 1 lacks a score, epoch 2 has scores of a reward that the run does not learn from.
            if groups[index].epoch == 1, member == 0 { groups[index].trajectories[member].scores[0].value = nil }
          }
        }
        return groups
      }
    }
    #expect(warnings.all.count == 2)
    for part in ["epoch 1", "4 groups", "channel (4 of 8 scores)"] {
      #expect(warnings.all[0].contains(part), "\(warnings.all[0])")
    }
    #expect(warnings.all[1].contains("no dense rewards"), "\(warnings.all[1])")
  }
}
