import Actor
import Configuration
import Engine
import Foundation
import Glibc
import Logging
import Messages
import Replay
import RewardServer
import Synchronization
import Testing
import Threads
import Transport

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

@Suite(.serialized) struct KilledLearnerTests {
  @Test func `20 kills while four actors insert lose no acknowledged group and store none twice`() throws {
    var bench = try FaultBench()
    defer { bench.remove() }
    // The epoch never becomes complete, so nothing is trained.
    bench.configuration.sampling.groupsPerEpoch = 100_000
    bench.configuration.replay.segmentGroups = 64
    let account = Account(), stop = StopFlag(), terms = try GroupTerms(bench)
    var learner = try bench.start()
    let actors = (0..<4).map { index in
      let actor = InsertingActor(
        name: "actor-\(index)", endpoint: bench.configuration.network.learner, terms: terms, account: account,
        stop: stop)
      return ServiceThread(name: "actor") { try actor.run() }
    }
    var random = RandomStream(seed: faultSeed).fork("kills")
    var statuses: [Int32] = []
    for round in 0..<20 * faultScale {
      // Each learner must insert some groups before it is killed.
      let before = account.now.acknowledged.count, needed = 1 + random.integer(below: 40)
      try wait("more acknowledgements", learner) { account.now.acknowledged.count >= before + needed }
      usleep(UInt32(random.integer(below: 20_000)))
      statuses.append(learner.end(by: round % 2 == 0 ? SIGKILL : [SIGTERM, SIGUSR1][round / 2 % 2]))
      learner = try bench.start()
    }
    let before = account.now.acknowledged.count
    try wait("inserts of the last learner", learner) { account.now.acknowledged.count > before }
    stop.set()
    for actor in actors { try actor.join() }
    #expect(learner.end(by: SIGTERM) == 0)
    #expect(statuses.enumerated().allSatisfy { $0.element == ($0.offset % 2 == 0 ? -SIGKILL : 0) }, "\(statuses)")

    let state = account.now, store = try ReplayStore(reading: bench.runFolder.appending(path: "replay"))
    let stored = store.entries.map(\.number)
    print(
      "killed \(statuses.count) times: \(state.attempted.count) groups attempted, \(state.acknowledged.count) "
        + "acknowledged, \(stored.count) stored, \(state.acknowledged.subtracting(stored).count) lost, "
        + "\(stored.count - Set(stored).count) twice")
    #expect(state.surprises.isEmpty)
    #expect(state.acknowledged.subtracting(stored).isEmpty)
    #expect(Set(stored).count == stored.count)
    #expect(Set(stored).isSubset(of: state.attempted.keys))
    #expect(store.damage.filter { !$0.isTornTail }.isEmpty)
    // A number that two actors sampled has two valid contents.
    let kept = try stored.filter { number in
      SHA256.digest(of: Message.group(try store.group(number)).encode()) == state.attempted[number]
    }
    #expect(kept.count >= stored.count - 8 * statuses.count)
  }

  /// Waits for a condition; fails when the learner ends, or after a minute.
  private func wait(_ what: String, _ learner: LearnerProcess, _ condition: () -> Bool) throws {
    let end = ContinuousClock.now + .seconds(60)
    while !condition() {
      try #require(learner.isRunning, "the learner ended: \(learner.lastWords)")
      try #require(ContinuousClock.now < end, "no \(what): \(learner.lastWords)")
      usleep(2_000)
    }
  }

  @Test func `10 kills at random instants do not change a bit of the weights`() throws {
    let expected = try whole(kills: 0, seed: 0).weights
    var killed = 0, runs: UInt64 = 0
    while killed < 10 * faultScale {
      runs += 1
      let found = try whole(kills: 4, seed: faultSeed &* 1000 &+ runs)
      killed += found.kills
      #expect(found.weights == expected, "run \(runs)")
    }
    print("killed \(killed) times in \(runs) runs: the weights of every run are equal")
  }

  /// A run of six epochs with one actor and no staleness.
  ///
  /// - Returns: the files of the last checkpoint, and how often the learner was killed.
  private func whole(kills: Int, seed: UInt64) throws -> (weights: [Data], kills: Int) {
    var bench = try FaultBench()
    defer { bench.remove() }
    bench.configuration.sampling.groupsPerEpoch = 6
    bench.configuration.sampling.batchSize = 3
    bench.configuration.training.minibatchSize = 2
    bench.configuration.training.epochs = 6
    bench.configuration.checkpoint.every = 2
    bench.configuration.replay.segmentGroups = 5
    let configuration = bench.configuration
    let context = try Context()
    let router = try RouterRun.start(context, configuration, logger: quiet)
    let server = try ScoringRun.start(context, configuration, name: "scorer", logger: quiet)
    var learner = try bench.start()
    let actor = try ActorService(
      context, ActorOptions(configuration, name: "actor", incarnation: 1), logger: quiet)
    var random = RandomStream(seed: seed).fork("kills")
    var done = 0
    while done < kills {
      // At any time between the start of the learner and the end of the run.
      usleep(UInt32(50_000 + random.integer(below: 700_000)))
      guard learner.isRunning else { break }
      learner.end(by: SIGKILL)
      done += 1
      learner = try bench.start()
    }
    let status = learner.wait()
    #expect(status == 0, "\(learner.lastWords)")
    actor.stop()
    _ = try actor.join()
    server.stop()
    router.stop()
    try server.join()
    try router.join()
    let checkpoint = bench.runFolder.appending(path: "checkpoints/step-000006")
    let weights = try ["pytorch_lora_weights.safetensors", "optimizer.safetensors"].map {
      try Data(contentsOf: checkpoint.appending(path: $0))
    }
    let store = try ReplayStore(reading: bench.runFolder.appending(path: "replay"))
    #expect(store.entries.map(\.number) == Array(0..<36))
    return (weights, done)
  }
}
