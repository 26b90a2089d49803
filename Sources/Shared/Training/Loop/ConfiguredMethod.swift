// Creates the configured method and the configured sampling process.

package import Algorithms
package import Configuration
package import Diffusion
internal import Foundation

extension Configuration {
  /// - Throws: `TrainingError` that names the settings that the method cannot work with.
  package func algorithm() throws -> any Algorithm {
    do { return try AlgorithmRegistry.make(method) } catch let error as AlgorithmError {
      throw TrainingError("training.algorithm \(training.algorithm): \(error)")
    }
  }

  /// Whether the method needs reward servers that compute gradients.
  package var asksServersForGradients: Bool {
    get throws {
      let algorithm = try algorithm()
      return algorithm is any RewardGradientAlgorithm && !(algorithm is LaSRO) && gradient.source == .server
    }
  }

  /// The sampling process, with noise at every step.
  ///
  /// - Throws: `ScheduleError` when the scheduler of the model and the sampling settings do not fit together.
  package func samplingProcess() throws -> DDIM {
    let process = try DDIM(
      schedule: NoiseSchedule(folder: URL(filePath: run.model), spacing: .init(sampling.timestepSpacing)),
      steps: sampling.steps, eta: sampling.eta)
    try process.requireNoise()
    return process
  }
}
