// One stage of pretraining: optimizer steps with a schedule, weight averaging, checkpoints and exact resume. The random
// numbers of a step depend on its number, so an interrupted run continues as if it had not been interrupted.

internal import Basics
internal import Engine
internal import Foundation
internal import Layers

package struct TrainingSchedule: Sendable {
  /// Optimizer steps, and pictures per step.
  package var steps, batchSize: Int
  /// The highest learning rate: it rises linearly over `warmup` steps and falls to 0 along a cosine.
  package var learningRate: Float
  package var warmup = 100
  package var beta2: Float = 0.99
  package var weightDecay: Float = 1e-2
  package var maximumGradientNorm: Float = 1
  /// Decay per step of the moving average of the weights.
  package var averaging: Float
  /// Time between progress reports, and between checkpoints.
  package var reportInterval = Duration.seconds(5), checkpointInterval = Duration.seconds(60)

  package init(steps: Int, batchSize: Int, learningRate: Float, averaging: Float = 0.999) {
    self.steps = steps
    self.batchSize = batchSize
    self.learningRate = learningRate
    self.averaging = averaging
  }

  func learningRate(at step: Int) -> Float {
    let rise = min(1, Float(step + 1) / Float(max(1, warmup)))
    return learningRate * rise * 0.5 * (1 + cosf(.pi * Float(step) / Float(max(1, steps))))
  }
}

package struct TrainingProgress: Sendable {
  package let stage: String
  package let step, steps: Int
  /// Mean loss since the last report.
  package let loss: Float
  package let secondsLeft: Double
}

final class TrainingRun {
  let stage: String
  let parameters: [Parameter]
  private let schedule: TrainingSchedule
  private let optimizer: AdamW
  private let checkpoint: URL
  private let report: (TrainingProgress) -> Void
  private(set) var averages: [Tensor]
  private let companions: [Parameter]

  /// - Parameters:
  ///   - companions: weights that the stage changes without the optimizer; they are part of the checkpoint too.
  ///   - folder: the folder of the checkpoint `<stage>.safetensors`; a run found there is continued.
  init(
    stage: String, parameters: [Parameter], companions: [Parameter] = [], schedule: TrainingSchedule, folder: URL,
    report: @escaping (TrainingProgress) -> Void
  ) throws {
    self.stage = stage
    self.parameters = parameters
    self.companions = companions
    self.schedule = schedule
    self.report = report
    for parameter in parameters { parameter.isTrainable = true }
    optimizer = AdamW(
      parameters: parameters, learningRate: schedule.learningRate, beta2: schedule.beta2,
      weightDecay: schedule.weightDecay)
    averages = parameters.map(\.value)
    checkpoint = folder.appending(path: stage + ".safetensors")
    if FileManager.default.fileExists(atPath: checkpoint.path) { try restore() }
  }

  /// Trains to the end, then sets the parameters to the averaged weights and freezes them. `loss` computes the scalar
  /// loss of a step from the step's random numbers.
  func train(_ loss: (RandomStream) throws -> Tensor) throws {
    let random = RandomStream(seed: 20).fork(stage)
    let clock = ContinuousClock()
    let start = clock.now, first = optimizer.step
    var sum: Float = 0, counted = 0, saved = clock.now, reported = clock.now
    for step in first..<max(first, schedule.steps) {
      optimizer.learningRate = schedule.learningRate(at: step)
      let result = try Tape.gradients { _ in (try loss(random.fork("step", step)), ()) }
      guard result.loss.item.isFinite else {
        throw PretrainingError(
          description: "\(stage): the loss of step \(step) is \(result.loss.item). Lower the learning rate and resume "
            + "from the last checkpoint, \(checkpoint.path).")
      }
      let clipped = result.parameters.clipped(toNorm: schedule.maximumGradientNorm, over: parameters).0
      optimizer.update(clipped)
      average(step)
      sum += result.loss.item
      counted += 1
      if clock.now - saved >= schedule.checkpointInterval {
        try save()
        saved = clock.now
      }
      if clock.now - reported >= schedule.reportInterval || step + 1 == schedule.steps {
        let pace = (clock.now - start) / (step + 1 - first)
        report(
          TrainingProgress(
            stage: stage, step: step + 1, steps: schedule.steps, loss: sum / Float(counted),
            secondsLeft: (pace * (schedule.steps - step - 1)).seconds))
        (sum, counted, reported) = (0, 0, clock.now)
      }
    }
    try save()
    for (parameter, average) in zip(parameters, averages) {
      parameter.value = average
      parameter.isTrainable = false
    }
  }

  /// The average decays faster at the beginning, while the weights change quickly.
  private func average(_ step: Int) {
    let decay = min(schedule.averaging, Float(1 + step) / Float(10 + step))
    for (index, parameter) in parameters.enumerated() {
      averages[index] = averages[index] * decay + parameter.value * (1 - decay)
    }
  }

  private func save() throws {
    var writer = SafetensorsWriter(metadata: ["step": String(optimizer.step), "stage": stage])
    for (index, parameter) in parameters.enumerated() {
      let moments = optimizer.moments(at: index)
      writer.add("weight." + parameter.name, parameter.value)
      writer.add("average." + parameter.name, averages[index])
      writer.add("first." + parameter.name, moments.first)
      writer.add("second." + parameter.name, moments.second)
    }
    for parameter in companions { writer.add("companion." + parameter.name, parameter.value) }
    try writer.write(to: checkpoint)
  }

  private func restore() throws {
    let file = try SafetensorsFile(checkpoint)
    let expected = 4 * parameters.count + companions.count
    guard let step = file.metadata["step"].flatMap(Int.init), file.names.count == expected else {
      throw PretrainingError(
        description: "\(checkpoint.path): expected a checkpoint of \(stage) with \(expected) tensors, found "
          + "\(file.names.count). It belongs to another run: choose another --work folder, or delete the file.")
    }
    func read(_ part: String, _ parameter: Parameter) throws -> Tensor {
      let tensor = try file.tensor(part + "." + parameter.name)
      guard tensor.shape == parameter.value.shape else {
        throw PretrainingError(
          description: "\(checkpoint.path): \(parameter.name): expected shape \(parameter.value.shape), found "
            + "\(tensor.shape). It belongs to another run: choose another --work folder, or delete the file.")
      }
      return tensor
    }
    var moments: [(first: Tensor, second: Tensor)] = []
    for (index, parameter) in parameters.enumerated() {
      parameter.value = try read("weight", parameter)
      averages[index] = try read("average", parameter)
      moments.append((try read("first", parameter), try read("second", parameter)))
    }
    for parameter in companions { parameter.value = try read("companion", parameter) }
    optimizer.restore(step: step, moments: moments)
  }
}

package struct PretrainingError: Error, CustomStringConvertible {
  package let description: String
}
