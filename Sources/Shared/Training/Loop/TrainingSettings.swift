// The run's configuration as training's parts take it.

package import Algorithms
package import Configuration
package import Diffusion
internal import Foundation

extension Configuration {
  /// The method that is configured, without its state.
  ///
  /// - Throws: `TrainingError` naming the key that it cannot work with.
  package func algorithm() throws -> any Algorithm {
    do { return try AlgorithmRegistry.make(training.algorithm, algorithmOptions) } catch let error as AlgorithmError {
      throw TrainingError("training.algorithm \(training.algorithm): \(error)")
    }
  }

  /// Whether the method that is configured follows gradients that reward servers give.
  ///
  /// - Throws: `TrainingError` as `algorithm`.
  package var asksServersForGradients: Bool {
    get throws {
      let algorithm = try algorithm()
      return algorithm is any RewardGradientAlgorithm && !(algorithm is LaSRO) && gradient.source == "server"
    }
  }

  /// The options of the method that is configured.
  private var algorithmOptions: AlgorithmOptions {
    var options = AlgorithmOptions()
    options.groupSize = sampling.groupSize
    options.steps = sampling.steps
    options.finalStep = training.finalStep
    options.gradient.sampling = ReplaySampling(rawValue: gradient.sampling) ?? .uniform
    switch gradient.estimate {
    case "consistency": options.gradient.estimate = .consistency
    case "n-step": options.gradient.estimate = .steps(gradient.estimateSteps)
    default: options.gradient.estimate = .oneStep
    }
    options.gradient.divergenceWeight = gradient.divergenceWeight
    options.gradient.masksNonPositive = gradient.masksNonPositive
    options.gradient.differentiatedSteps = gradient.differentiatedSteps
    options.gradient.noisings = gradient.noisings
    options.gradient.lateSteps = gradient.lateSteps
    options.gradient.secondStepShare = lasro.secondStepShare
    options.branches.base = branches.base
    options.branches.shortestInterval = branches.shortestInterval
    options.branches.longestInterval = branches.longestInterval
    options.branches.stages = branches.stages
    options.branches.history = branches.history
    options.branches.positiveThreshold = branches.positiveThreshold
    options.branches.negativeThreshold = branches.negativeThreshold
    options.discount = training.discount
    options.temporalWeight = training.lambda
    options.logScale = training.logScale
    options.logRatioClip = training.logRatioClip
    options.advantageClip = training.advantageClip
    options.normalizesPerPrompt = training.normalizesPerPrompt
    options.statisticsBufferSize = training.statisticsBufferSize
    options.statisticsMinimumCount = training.statisticsMinimumCount
    return options
  }

  /// The sampling process, with noise at every step.
  ///
  /// - Throws: `ScheduleError` when the model's scheduler and the sampling settings do not go together.
  package func samplingProcess() throws -> DDIM {
    let spacing = NoiseSchedule.Spacing(rawValue: sampling.timestepSpacing)
    let process = try DDIM(
      schedule: NoiseSchedule(folder: URL(filePath: run.model), spacing: spacing), steps: sampling.steps,
      eta: sampling.eta)
    try process.requireNoise()
    return process
  }
}
