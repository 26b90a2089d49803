// Whole runs of every kind of method, in one process.

import Configuration
import Engine
import Fixtures
import Foundation
import Learner
import Messages
import Replay
import Testing

@Suite(.serialized)
struct MethodRunTests {
  private func run(_ method: MethodName) throws -> InProcessRun {
    var run = try InProcessRun()
    run.configuration.chooseSmall(method)
    return run
  }

  @Test(arguments: [MethodName.ddpo, .b2DiffuRL, .sqdf, .lasro])
  func `a method changes the policy with one score per trajectory`(method: MethodName) throws {
    var run = try run(method)
    defer { run.remove() }
    if method == .sqdf { run.configuration.reward.weights = ["colourfulness": 1] }
    try run.run(actors: 2)
    #expect(try run.weights(1) != run.weights(2))
    let store = try ReplayStore(reading: URL(filePath: run.configuration.run.folder).appending(path: "replay"))
    #expect(store.count == 8)
    for entry in store.entries {
      let group = try store.group(entry.number)
      #expect(group.isScored && group.trajectories.allSatisfy { $0.scores.map(\.step) == [1] })
      // Trajectories of the first epoch branch at step 1, those of the second at step 0.
      let split = method == .b2DiffuRL && group.epoch == 0 ? 1 : 0
      for step in 0...2 {
        let states = group.trajectories.map { $0.states.slice(axis: 0, step..<step + 1).values }
        #expect((Set(states).count == 1) == (step <= split))
      }
    }
  }

  @Test func `a method that needs gradients is refused if the reward has none`() throws {
    let run = try run(.sqdf)
    defer { run.remove() }
    #expect { try run.run(actors: 0) } throws: { "\($0)".contains("jpeg-compressibility") }
    #expect(!FileManager.default.fileExists(atPath: run.configuration.run.folder))
  }

  @Test func `a learned proxy trains on a reward without a gradient`() throws {
    var run = try run(.sqdf)
    defer { run.remove() }
    run.configuration.gradient.source = .proxy
    run.configuration.proxy.optimism = .ucb
    run.configuration.proxy.embeddingModel = URL(filePath: run.configuration.run.model).deletingLastPathComponent()
      .appending(path: "emoji-clip").path
    try run.run(actors: 1)
    #expect(try run.weights(1) != run.weights(2))
  }
}
