import Configuration
import Foundation
import Learner
import Messages
import Replay
import Testing
import Threads
import Transport

@Suite(.serialized)
struct RunTests {
  @Test func `a run gives the same weights with one actor, with three, and after a resume`() throws {
    let one = try InProcessRun()
    let three = try InProcessRun()
    let stopped = try InProcessRun()
    defer { for run in [one, three, stopped] { run.remove() } }
    try one.run(actors: 1)
    let expected = try one.weights(3)
    #expect(try one.weights(1) != expected)
    try three.run(actors: 3)
    #expect(try three.weights(3) == expected)

    // Stopped after the first or the second epoch, and resumed with another number of actors.
    try stopped.run(actors: 1) { learner, context in
      // The second policy is announced after the first epoch.
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

  @Test func `a run that cannot start names the reason and leaves no files`() throws {
    var run = try InProcessRun()
    defer { run.remove() }
    let model = run.configuration.run.model
    run.configuration.run.model = "/nowhere/model"
    #expect { try run.run(actors: 0) } throws: { "\($0)".contains("/nowhere/model") }
    #expect(!FileManager.default.fileExists(atPath: run.configuration.run.folder))
    run.configuration.run.model = model

    // Another socket uses the port.
    let context = try Context()
    let other = try Socket(context, .router)
    let endpoint = try other.bind("tcp://127.0.0.1:*")
    run.configuration.network.learner = endpoint
    #expect { try run.run(actors: 0) } throws: { ($0 as? TransportError)?.kind == .addressInUse }
    #expect(!FileManager.default.fileExists(atPath: run.configuration.run.folder))
    withExtendedLifetime(context) {}

    // The folder contains a run, and the learner is not told to resume it.
    try FileManager.default.createDirectory(atPath: run.configuration.run.folder, withIntermediateDirectories: true)
    try Data("run-1\n".utf8).write(to: URL(filePath: run.configuration.run.folder).appending(path: "run-id"))
    #expect { try run.run(actors: 0) } throws: { "\($0)".contains("--resume") }
  }
}
