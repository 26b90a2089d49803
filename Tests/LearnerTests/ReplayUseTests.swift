import Engine
import Foundation
import Learner
import Messages
import Replay
import Settings
import Testing
import Training
import Transport

@Suite struct ReplayUseTests {
  @Test func `actors wait while groups are trained on too seldom, and the metrics show it`() throws {
    var bench = try Bench(groupsPerEpoch: 2, epochs: 8)
    defer { bench.remove() }
    bench.settings.work.maximumStaleness = 5
    bench.settings.rateLimits = try RateLimits(samplesPerInsert: 1, errorBuffer: 3, minimumSize: 1, batch: 2)
    let learner = try bench.learner()
    let ada = try FakeActor(bench)
    try ada.join()
    // The staleness allows twelve groups, the limiter four.
    let first = try ada.work(capacity: 12)
    #expect(first.map(\.number) == [0, 1, 2, 3])
    // Lost assignments are sent again, and no others.
    #expect(try ada.work(capacity: 12).map(\.number) == [0, 1, 2, 3])
    try ada.deliver(first.map { bench.group($0) })
    #expect(try ada.work(capacity: 12).isEmpty)

    let epoch = try #require(try learner.groups(ofEpoch: 0))
    #expect(epoch.map(\.number) == [0, 1])
    #expect(learner.groupsSampled == 2)
    #expect(try ada.receiveWork().map(\.number) == [4, 5])
    #expect(try ada.work(capacity: 12).map(\.number) == [4, 5])
    let metrics = learner.metrics
    #expect(metrics["replay/inserts"] == 4)
    #expect(metrics["replay/samples"] == 2)
    #expect(metrics["replay/difference"] == 2)
    #expect(metrics["replay/insert_wait"]! > 0)
    try learner.end()
  }

  @Test func `a run whose limits do not match its training ends with the bound that it waits for`() throws {
    var bench = try Bench(groupsPerEpoch: 2, epochs: 8)
    defer { bench.remove() }
    // Every group is trained on once instead of twice, so inserts run ahead until no more are allowed.
    bench.settings.rateLimits = try RateLimits(samplesPerInsert: 2, errorBuffer: 4, minimumSize: 1, batch: 2)
    let learner = try bench.learner()
    let ada = try FakeActor(bench)
    try ada.join()
    let failure = #expect(throws: TrainingError.self) {
      for epoch in 0..<8 {
        while true {
          let work = try ada.work(capacity: 2)
          if work.isEmpty { break }
          try ada.deliver(work.map { bench.group($0) })
        }
        _ = try learner.groups(ofEpoch: epoch)
        try learner.publish(version: epoch + 1, bytes: policyBytes(epoch + 1), tensorCount: 3)
      }
    }
    #expect(
      failure?.description.contains("stands still: inserting waits: the stored groups were not yet trained on as often")
        == true)
    #expect(failure?.description.contains("replay.samplesPerInsert") == true)
  }

  @Test func `an old incarnation is refused, also when the newest is gone and after a restart`() throws {
    var bench = try Bench()
    defer { bench.remove() }
    do {
      let learner = try bench.learner()
      let newer = try FakeActor(bench, "cy", incarnation: 2)
      try newer.join()
      let work = try newer.work(capacity: 1)
      try newer.deliver(work.map { bench.group($0, actor: "cy", incarnation: 2) })
      try newer.send(.goodbye(Goodbye(reason: "stopped")))
      let old = try FakeActor(bench, "cy", incarnation: 1)
      try old.send(old.hello())
      #expect(try old.receiveRefusal().reason.contains("has started again as incarnation 2"))
      try learner.end()
    }
    bench.context = try Context()
    let learner = try bench.learner()
    let old = try FakeActor(bench, "cy", incarnation: 1)
    try old.send(old.hello())
    #expect(try old.receiveRefusal().reason.contains("has started again as incarnation 2"))
    let newest = try FakeActor(bench, "cy", incarnation: 3)
    try newest.join()
    try learner.end()
  }
}

@Suite struct OfflineIntakeTests {
  private func fill(_ folder: URL, runID: String, value: Float) throws {
    let store = try ReplayStore(
      folder: folder, origin: ReplayOrigin(runID: runID, modelHash: "m", configuration: ""),
      settings: ReplaySettings { $0.segmentGroups = 4 })
    for number in 0..<6 {
      let trajectory = Trajectory(
        states: Tensor(repeating: value, shape: [2, 1, 2, 2]),
        cleanStates: Tensor(repeating: Float(number), shape: [1, 1, 2, 2]),
        logProbabilities: [-1], scores: [], denseRewards: [1], anchorStep: 0)
      let group = TrajectoryGroup(
        runID: runID, number: number, epoch: number / 3, actor: "a", incarnation: 1, policyVersion: 0, prompt: "p",
        seed: 1, timesteps: [9], eta: 1, guidanceScale: 1, trajectories: [trajectory])
      try store.append(group, bytes: Message.group(group).encode())
      try store.maintain()
    }
    try store.commit()
  }

  @Test func `several replays give the same groups, order and digest each time`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "stepwise-offline-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    let one = root.appending(path: "one"), two = root.appending(path: "two")
    try fill(one, runID: "run-1", value: 1)
    try fill(two, runID: "run-2", value: 2)

    func read(_ folders: [URL]) throws -> (numbers: [[Int]], runs: [String], digest: String) {
      let intake = try OfflineIntake(folders, logger: quiet)
      var numbers: [[Int]] = [], runs: [String] = []
      while let groups = try intake.groups(ofEpoch: numbers.count) {
        numbers.append(groups.map(\.number))
        runs += groups.map(\.runID)
        #expect(try intake.stored(groups.map(\.number)).map { Message.group($0).encode() }
          == groups.map { Message.group($0).encode() })
      }
      return (numbers, runs, intake.digest)
    }
    let first = try read([one, two]), again = try read([one, two])
    #expect(first == again)
    // The replays have the same numbers; together they are renumbered.
    #expect(first.numbers == [[0, 2, 4, 1, 3, 5], [6, 8, 10, 7, 9, 11]])
    #expect(first.runs.prefix(6) == ["run-1", "run-1", "run-1", "run-2", "run-2", "run-2"])
    #expect(try read([two, one]).digest != first.digest)
    #expect(try read([one]).numbers == [[0, 1, 2], [3, 4, 5]])

    #expect { _ = try OfflineIntake([one, root.appending(path: "none")], logger: quiet) } throws: {
      "\($0)".contains("/none: there is no such folder")
    }
    #expect { _ = try OfflineIntake([one, one], logger: quiet) } throws: { "\($0)".contains("is named twice") }
  }
}
