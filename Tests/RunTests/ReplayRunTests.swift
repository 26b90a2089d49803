import Configuration
import Engine
import Foundation
import Learner
import Logging
import Replay
import Telemetry
import Testing
import Training
import Transport

@Suite(.serialized)
struct ReplayRunTests {
  /// Trains on stored groups, without actors. Returns the digest and the number of the groups.
  private func trainOffline(_ run: InProcessRun, _ replays: [URL]) throws -> (digest: String, groups: Int) {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let loop = try TrainingWorker(run.configuration, log: logger), intake = try OfflineIntake(replays, logger: logger)
    try loop.run(intake)
    return (intake.digest, intake.groupCount)
  }

  private func replay(_ run: InProcessRun) -> URL {
    URL(filePath: run.configuration.run.folder).appending(path: "replay")
  }

  @Test func `a run keeps its best checkpoint and a replay that reproduces the weights`() throws {
    var online = try InProcessRun()
    let offline = try InProcessRun(), both = try InProcessRun(), again = try InProcessRun()
    defer { for run in [online, offline, both, again] { run.remove() } }
    online.configuration.evaluation.prompts = ["lion", "owl"]
    online.configuration.checkpoint.heldOutPictures = 2
    online.configuration.checkpoint.keep = 1
    try online.run(actors: 1) { learner, _ in
      // At the same time, another learner in this folder is refused.
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let second = LearnerRun(try .init(), online.configuration, resumes: true, logger: logger)
      #expect { try second.join() } throws: {
        "\($0)".contains(online.configuration.run.folder) && "\($0)".contains("another learner works on this run (process ")
      }
    }
    let folder = URL(filePath: online.configuration.run.folder)
    let means = try MetricsRecord.read(folder.appending(path: "metrics.jsonl")).map {
      try #require($0.values["held_out/mean"])
    }
    try #require(means.count == 3)
    let best = try #require(means.indices.max { means[$0] < means[$1] })
    let files = FileManager.default, checkpoints = folder.appending(path: "checkpoints")
    #expect(
      try files.destinationOfSymbolicLink(atPath: checkpoints.appending(path: "best").path) == "step-00000\(best + 1)")
    #expect(
      Set(try files.contentsOfDirectory(atPath: checkpoints.path))
        == ["best", "latest", "step-00000\(best + 1)", "step-000003"])
    let metrics = try MetricsRecord.read(folder.appending(path: "metrics.jsonl"))[2].values
    #expect(metrics["replay/inserts"] == 12 && metrics["policy/staleness_limit"] == 0)

    // The same groups give the same weights without actors. The evaluation does not change the weights.
    #expect(try trainOffline(offline, [replay(online)]).groups == 12)
    #expect(try offline.weights(3) == online.weights(3))
    // Two runs with two replays have the same groups in the same order, and the same weights.
    let copy = online.folder.appending(path: "copy")
    try files.copyItem(at: replay(online), to: copy)
    let first = try trainOffline(both, [replay(online), copy])
    #expect(first.groups == 24)
    #expect(try trainOffline(again, [replay(online), copy]) == first)
    #expect(try both.weights(3) == again.weights(3))
    #expect(try both.weights(3) != online.weights(3))
  }

  @Test func `a run that a learner on another machine has locked is refused with its name`() throws {
    let run = try InProcessRun()
    defer { run.remove() }
    let folder = URL(filePath: run.configuration.run.folder)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let lock = folder.appending(path: "lock")
    func holder(_ renewals: Int) -> Data {
      Data(
        #"{"host":"far-away","process":7,"renewals":\#(renewals),"since":"2026-01-01T00:00:00Z","token":"t"}"#.utf8)
    }
    try holder(1).write(to: lock)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let learner = LearnerRun(try .init(), run.configuration, resumes: true, logger: logger)
    // The file is changed in place, as by the holder of the lock, until the learner has noticed it.
    let file = try FileHandle(forUpdating: lock)
    var renewals = 1
    while !learner.hasEnded {
      renewals += 1
      try file.seek(toOffset: 0)
      try file.write(contentsOf: holder(10 + renewals % 80))
      usleep(20_000)
    }
    #expect { try learner.join() } throws: { "\($0)".contains("process 7 on far-away") }
  }
}
