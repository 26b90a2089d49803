// The run's configuration as training's parts take it.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Foundation

extension Configuration {
  /// The options of the method that is configured.
  var algorithmOptions: AlgorithmOptions {
    var options = AlgorithmOptions()
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
  func samplingProcess() throws -> DDIM {
    let spacing = NoiseSchedule.Spacing(rawValue: sampling.timestepSpacing)
    let process = try DDIM(
      schedule: NoiseSchedule(folder: URL(filePath: run.model), spacing: spacing), steps: sampling.steps,
      eta: sampling.eta)
    try process.requireNoise()
    return process
  }
}
