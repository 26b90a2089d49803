// Whole runs with rewards of several processes, lost reward servers, missing scores, shadow rewards and normalization.

import Configuration
import Foundation
import Glibc
import Learner
import Messages
import Testing
import Threads
import Transport

@Suite(.serialized)
struct RewardRunTests {
  @Test(.enabled(if: PythonProcess.interpreter != nil, "\(PythonProcess.absence)"))
  func `a run survives the loss of its Python and its Swift reward server`() throws {
    try InProcessRun.withRouter { run, context, back in
      run.configuration.reward.weights = ["colourfulness": 1]
      run.configuration.training.epochs = 4
      let file = run.folder.appending(path: "reward-server.yaml")
      try FileManager.default.createDirectory(at: run.folder, withIntermediateDirectories: true)
      try run.configuration.encodeYAML().write(to: file, atomically: true, encoding: .utf8)
      let swift = try process("stepwise-reward-server", ["serve", "--config", file.path, "--set", "run.threads=1"])
      defer { kill(swift) }
      let python = try PythonProcess("tests/colourfulness.py", [back])
      var second: PythonProcess?
      let notices = try Socket(context, .subscriber)
      try notices.subscribe()
      try notices.connect(run.configuration.network.notices)
      try run.train(context, actors: 2) { _, _ in
        // The learner sends a notice after each epoch.
        _ = try #require(try notices.receive(timeout: .seconds(120)))
        python.kill()
        _ = try #require(try notices.receive(timeout: .seconds(120)))
        second = try PythonProcess("tests/colourfulness.py", [back])
        kill(swift)
      }
      let groups = try run.stored()
      #expect(groups.count == 16)
      #expect(groups.allSatisfy { $0.isScored })
      let versions = Set(groups.flatMap { $0.trajectories.flatMap { $0.scores.map(\.version) } })
      #expect(versions.contains("python") && versions.contains("colourfulness/1"), "scored by \(versions)")
      #expect(second?.terminate() == 0)
    }
  }

  @Test(.enabled(if: PythonProcess.interpreter != nil, "\(PythonProcess.absence)"))
  func `scores that are not finite are missing in the replay and not trained on`() throws {
    try InProcessRun.withRouter { run, context, back in
      run.configuration.reward.weights = ["not_a_number": 1]
      run.configuration.reward.external = ["not_a_number"]
      run.configuration.training.epochs = 2
      run.configuration.sampling.groupsPerEpoch = 2
      let python = try PythonProcess("tests/misbehaving.py", [back])
      try run.train(context, actors: 1)
      let groups = try run.stored()
      #expect(groups.count == 4)
      for trajectory in groups.flatMap(\.trajectories) {
        #expect(trajectory.denseRewards.isEmpty)
        #expect(!trajectory.scores.isEmpty)
        #expect(trajectory.scores.allSatisfy { $0.reward == "not_a_number" && $0.value == nil })
      }
      let adapters = try [1, 2].map { try run.weights($0)[0] }
      #expect(adapters[0] == adapters[1], "the adapter changed although all scores were missing")
      withExtendedLifetime(python) {}
    }
  }

  @Test func `shadow rewards are stored and only weighted rewards are learned from`() throws {
    var run = try InProcessRun()
    defer { run.remove() }
    run.configuration.reward.weights = ["jpeg-compressibility": 2, "diversity": 3]
    run.configuration.reward.shadow = ["colourfulness"]
    run.configuration.reward.alignmentModel = repository.appending(path: "Models/emoji-clip").path
    run.configuration.training.epochs = 1
    try run.run(actors: 1)
    for trajectory in try run.stored().flatMap(\.trajectories) {
      let last = trajectory.scores.filter { $0.step == trajectory.stepCount - 1 }
      let values = Dictionary(uniqueKeysWithValues: last.map { ($0.reward, $0.value ?? .nan) })
      #expect(Set(values.keys) == ["jpeg-compressibility", "diversity", "colourfulness"])
      #expect((values["colourfulness"] ?? 0) > 1)
      let sum = 2 * (values["jpeg-compressibility"] ?? 0) + 3 * (values["diversity"] ?? 0)
      #expect(abs((trajectory.denseRewards.last ?? .nan) - sum) < 1e-5)
    }
  }

  @Test func `normalized rewards give the same weights after a resume`() throws {
    var whole = try InProcessRun(), stopped = try InProcessRun(), raw = try InProcessRun()
    defer { for run in [whole, stopped, raw] { run.remove() } }
    func configure(_ run: inout InProcessRun, window: Int) {
      run.configuration.reward.weights = ["jpeg-compressibility": 1, "colourfulness": 0.5]
      run.configuration.reward.normalizationWindow = window
      run.configuration.training.epochs = 2
    }
    configure(&whole, window: 20)
    configure(&stopped, window: 20)
    configure(&raw, window: 0)
    try whole.run(actors: 1)
    try raw.run(actors: 1)
    #expect(try whole.weights(2) != raw.weights(2))
    try stopped.run(actors: 1) { learner, context in
      let notices = try Socket(context, .subscriber)
      try notices.subscribe()
      try notices.connect(stopped.configuration.network.notices)
      _ = try notices.receive(timeout: .seconds(60))
      learner.stop()
    }
    try stopped.run(actors: 2, resumes: true)
    #expect(try stopped.weights(2) == whole.weights(2))
    let metrics = try String(contentsOf: whole.runFolder.appending(path: "metrics.jsonl"), encoding: .utf8)
    #expect(metrics.contains("reward/colourfulness/mean") && metrics.contains("reward/jpeg-compressibility/std"))
    // A run cannot be resumed with another window.
    configure(&stopped, window: 30)
    stopped.configuration.training.epochs = 3
    #expect { try stopped.run(actors: 0, resumes: true) } throws: { "\($0)".contains("reward.normalizationWindow") }
  }

  // MARK: - Helpers

  private func process(_ name: String, _ arguments: [String]) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: name)
    process.arguments = arguments
    process.currentDirectoryURL = repository
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return process
  }

  private func kill(_ process: Process) {
    if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }
}
