// Sampling from a latent consistency model (Luo et al., arXiv 2310.04378), as diffusers' LCMScheduler does it.

package import Engine

package struct LCM: Sendable {
  /// The constants of consistency distillation.
  package struct Configuration: Sendable {
    /// Timesteps of the solver that the model was distilled with.
    package var originalSteps = 50
    /// Standard deviation of the data in the boundary condition.
    package var sigmaData: Float = 0.5
    /// Factor applied to the timestep in the boundary condition.
    package var timestepScaling: Float = 10

    package init() {}
  }

  package struct Step {
    /// The next states, `[B, ...]`; after the last step the clean states themselves.
    package let previous: Tensor
    /// The consistency model's clean states, `[B, ...]`.
    package let denoised: Tensor
  }

  package let schedule: NoiseSchedule
  package let configuration: Configuration
  /// The timesteps visited, the noisiest first.
  package let timesteps: [Int]

  package init(schedule: NoiseSchedule, steps: Int, configuration: Configuration = Configuration()) throws {
    let original = configuration.originalSteps, stride = schedule.configuration.trainingTimesteps / max(original, 1)
    guard original >= 1, stride >= 1, (1...original).contains(steps) else {
      throw ScheduleError(
        "LCM: expected 1 to \(original) sampling steps, the number that the model was distilled with, found \(steps)")
    }
    self.schedule = schedule
    self.configuration = configuration
    let descending = (1...original).reversed().map { $0 * stride - 1 }
    timesteps = (0..<steps).map { descending[Int(Double($0) * (Double(original) / Double(steps)))] }
  }

  /// Weights of the boundary condition f(x, 0) = x: s = timestepScaling · t, c_skip = σ²/(s²+σ²), c_out = s/√(s²+σ²).
  package func boundary(at timestep: Int) -> (skip: Float, out: Float) {
    let s = Float(timestep) * configuration.timestepScaling
    let variance = configuration.sigmaData * configuration.sigmaData
    let total = s * s + variance
    return (variance / total, s / total.squareRoot())
  }

  /// The consistency function: c_out x̂0 + c_skip x, `[B, ...]`, at one timestep per sample; differentiable.
  package func denoised(output: Tensor, sample: Tensor, timesteps: [Int]) -> Tensor {
    let (clean, _) = schedule.cleanAndNoise(output: output, sample: sample, timesteps: timesteps)
    let weights = timesteps.map(boundary), shape = column(timesteps.count, sample.rank)
    return Tensor(weights.map(\.out), shape: shape) * clean + Tensor(weights.map(\.skip), shape: shape) * sample
  }

  /// Takes step `index`: denoises, then adds the standard normal noise `[B, ...]` of the next timestep unless it is the
  /// last step.
  package func step(_ index: Int, output: Tensor, sample: Tensor, noise: Tensor) -> Step {
    let denoised = denoised(
      output: output, sample: sample, timesteps: [Int](repeating: timesteps[index], count: sample.shape[0]))
    guard index + 1 < timesteps.count else { return Step(previous: denoised, denoised: denoised) }
    let alpha = schedule.cumulativeAlphas[timesteps[index + 1]]
    return Step(previous: denoised * alpha.squareRoot() + noise * (1 - alpha).squareRoot(), denoised: denoised)
  }
}
