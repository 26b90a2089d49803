import Configuration
import Foundation
import Learner
import Messages
import Replay
import Testing
import Threads
import Transport

@Suite("A whole run in one process", .serialized)
struct RunTests {
  @Test("gives the same weights whether one actor works or three, and when the learner is stopped and goes on")
  func sameWeights() throws {
    let one = try InProcessRun()
    let three = try InProcessRun()
    let stopped = try InProcessRun()
    defer { for run in [one, three, stopped] { run.remove() } }
    try one.run(actors: 1)
    let expected = try one.weights(3)
    #expect(try one.weights(1) != expected)
    try three.run(actors: 3)
    #expect(try three.weights(3) == expected)

    // Stopped after the first epoch or the second; the second life has other actors.
    try stopped.run(actors: 1) { learner, context in
      // The second policy is announced once the first epoch is trained.
      let notices = try Socket(context, .subscriber)
      try notices.subscribe()
      try notices.connect(stopped.configuration.network.notices)
      _ = try notices.receive(timeout: .seconds(60))
      learner.stop()
    }
    try stopped.run(actors: 2, resumes: true)
    #expect(try stopped.weights(3) == expected)

    let store = try ReplayStore(reading: URL(filePath: one.configuration.run.folder).appending(path: "replay"))
    #expect(store.entries.map(\.number) == Array(0..<12))
    #expect(store.entries.map(\.epoch) == (0..<12).map { $0 / 4 })
    #expect(store.entries.allSatisfy { $0.isScored && $0.policyVersion == $0.epoch })
    #expect(store.segmentCount == 2)
    #expect(store.verify().isEmpty)
  }

  @Test("that cannot start says why and leaves nothing behind")
  func refusals() throws {
    var run = try InProcessRun()
    defer { run.remove() }
    let model = run.configuration.run.model
    run.configuration.run.model = "/nowhere/model"
    #expect { try run.run(actors: 0) } throws: { "\($0)".contains("/nowhere/model") }
    #expect(!FileManager.default.fileExists(atPath: run.configuration.run.folder))
    run.configuration.run.model = model

    // Somebody else has the port.
    let context = try Context()
    let other = try Socket(context, .router)
    let endpoint = try other.bind("tcp://127.0.0.1:*")
    run.configuration.network.learner = endpoint
    #expect { try run.run(actors: 0) } throws: { ($0 as? TransportError)?.kind == .addressInUse }
    #expect(!FileManager.default.fileExists(atPath: run.configuration.run.folder))
    withExtendedLifetime(context) {}

    // The folder holds a run, and nobody said to go on with it.
    try FileManager.default.createDirectory(atPath: run.configuration.run.folder, withIntermediateDirectories: true)
    try Data("run-1\n".utf8).write(to: URL(filePath: run.configuration.run.folder).appending(path: "run-id"))
    #expect { try run.run(actors: 0) } throws: { "\($0)".contains("--resume") }
  }
}
