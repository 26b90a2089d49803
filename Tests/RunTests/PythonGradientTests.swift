// A method that uses gradients, with a reward of a Python server and a reward of a Swift server.

import Configuration
import Foundation
import Learner
import RewardServer
import Telemetry
import Testing
import Transport

@Suite(.serialized)
struct PythonGradientTests {
  @Test(.enabled(if: PythonProcess.interpreter != nil, "\(PythonProcess.absence)"))
  func `SQDF raises a reward with a gradient in NumPy`() throws {
    try rises("redness", "examples/redness.py", PythonProcess.interpreter)
  }

  @Test(.enabled(if: PythonProcess.torchInterpreter != nil, "\(PythonProcess.torchAbsence)"))
  func `SQDF raises a reward with a gradient in PyTorch`() throws {
    try rises("warmth", "examples/warmth.py", PythonProcess.torchInterpreter)
  }

  /// Runs SQDF on the sum of `reward`, of a Python server, and colourfulness, of a Swift server.
  private func rises(_ reward: String, _ file: String, _ interpreter: String?) throws {
    let records = try train(reward, file, interpreter)
    let followed = records.compactMap { $0.values["gradient/reward"] }
    #expect(followed.count == 6 && records.allSatisfy { $0.values["gradient/missing"] == 0 })
    let begin = followed[0] + followed[1], end = followed[4] + followed[5]
    #expect(end > begin, "the reward of each epoch: \(followed)")
    // Both servers returned scores for every trajectory.
    for name in [reward, "colourfulness"] {
      #expect(records.allSatisfy { $0.values["reward/\(name)/mean"] != nil })
      #expect(records.allSatisfy { $0.values["reward/\(name)/missing"] == 0 })
    }
    // Per epoch, eight trajectories with two scores, and the gradients of eight pictures.
    #expect(records.allSatisfy { $0.values["reward/queries"] == 24 })
  }

  private func train(_ reward: String, _ file: String, _ interpreter: String?) throws -> [MetricsRecord] {
    var records: [MetricsRecord] = []
    try InProcessRun.withRouter { run, context, back in
      run.configuration.reward.weights = [reward: 1, "colourfulness": 0.0001]
      run.configuration.reward.external = [reward]
      run.configuration.training.algorithm = .sqdf
      run.configuration.training.epochs = 6
      run.configuration.training.learningRate = 3e-3
      run.configuration.training.finalStep = false
      run.configuration.gradient.sampling = .uniform
      run.configuration.gradient.divergenceWeight = 0.001
      run.configuration.gradient.masksNonPositive = false
      run.configuration.gradient.replayEpochs = 2
      let python = try PythonProcess(file, [back], interpreter: interpreter)
      let swift = try ScoringRun.start(context, run.configuration, name: "swift", logger: quiet)
      let outcome = Result { try run.train(context, actors: 2) }
      swift.stop()
      try swift.join()
      try outcome.get()
      withExtendedLifetime(python) {}
      records = try MetricsRecord.read(run.runFolder.appending(path: "metrics.jsonl"))
    }
    return records
  }
}
