// The stochastic DDIM step as a Gaussian policy (Song et al., arXiv 2010.02502, equation 12; as a policy: Black et al.,
// arXiv 2305.13301). Pure functions of tensors; gradients flow through the mean only.

internal import Foundation
package import Engine

package struct DDIM: Sendable {
  package let schedule: NoiseSchedule
  /// The timesteps visited, the noisiest first.
  package let timesteps: [Int]
  /// 0 is deterministic, 1 as noisy as DDPM.
  package let eta: Float

  package struct Step {
    /// The next, less noisy state, `[B, ...]`.
    package let previous: Tensor
    /// The predicted clean state x̂0, `[B, ...]`.
    package let clean: Tensor
    /// The mean of the Gaussian, `[B, ...]`.
    package let mean: Tensor
    /// The log-density of `previous`, averaged over a sample's elements, `[B]`.
    package let logProbability: Tensor
  }

  package init(schedule: NoiseSchedule, steps: Int, eta: Float) throws {
    guard (0...1).contains(eta) else {
      throw ScheduleError("eta: expected a number between 0 (deterministic) and 1, found \(eta)")
    }
    self.schedule = schedule
    self.eta = eta
    timesteps = try schedule.timesteps(steps)
  }

  /// Refuses settings with which a step has no noise, and therefore no log-probability to learn from.
  package func requireNoise() throws {
    for (index, timestep) in timesteps.enumerated() where !(sigma(at: timestep) > 0) {
      throw ScheduleError(
        "step \(index) (timestep \(timestep)) of \(timesteps.count) has no noise, so its log-probability is undefined; "
          + "set eta above 0 (found \(eta)) and use timesteps above 0 (leading spacing needs steps_offset 1, found "
          + "\(schedule.configuration.stepsOffset))")
    }
  }

  /// σ = η √((1-ᾱ')/(1-ᾱ) · (1-ᾱ/ᾱ')), where ᾱ' belongs to the timestep that the step leads to.
  package func sigma(at timestep: Int) -> Float {
    let alpha = schedule.cumulativeAlphas[timestep]
    let next = schedule.cumulativeAlphas[schedule.previous(of: timestep, steps: timesteps.count)]
    return eta * ((1 - next) / (1 - alpha) * (1 - alpha / next)).squareRoot()
  }

  /// The Gaussian of the next state, given the network's output: mean = √ᾱ' x̂0 + √(1-ᾱ'-σ²) ε̂.
  ///
  /// - Parameters:
  ///   - output: the network's output, with guidance applied, `[B, ...]`.
  ///   - sample: the noisy states, `[B, ...]`.
  ///   - timesteps: one per sample; they may differ.
  /// - Returns: mean and x̂0, `[B, ...]`; σ, `[B, 1, ...]`.
  package func distribution(
    output: Tensor, sample: Tensor, timesteps: [Int]
  ) -> (mean: Tensor, sigma: Tensor, clean: Tensor) {
    let (clean, noise) = schedule.cleanAndNoise(output: output, sample: sample, timesteps: timesteps)
    let next = schedule.cumulativeAlpha(
      at: timesteps.map { schedule.previous(of: $0, steps: self.timesteps.count) }, rank: sample.rank)
    let sigma = Tensor(timesteps.map { self.sigma(at: $0) }, shape: column(timesteps.count, sample.rank))
    let mean = next.sqrt() * clean + (1 - next - sigma.squared()).sqrt() * noise
    return (mean, sigma, clean)
  }

  /// Takes one step: previous = mean + σ noise, with standard normal noise `[B, ...]`.
  package func step(output: Tensor, sample: Tensor, timesteps: [Int], noise: Tensor) -> Step {
    let (mean, sigma, clean) = distribution(output: output, sample: sample, timesteps: timesteps)
    let previous = (mean + sigma * noise).detached
    return Step(
      previous: previous, clean: clean, mean: mean,
      logProbability: Self.logProbability(of: previous, mean: mean, sigma: sigma))
  }

  /// The log-probability `[B]` of a step that has led to `previous`, a constant `[B, ...]`; differentiable through
  /// `output`.
  package func logProbability(of previous: Tensor, output: Tensor, sample: Tensor, timesteps: [Int]) -> Tensor {
    let (mean, sigma, _) = distribution(output: output, sample: sample, timesteps: timesteps)
    return Self.logProbability(of: previous.detached, mean: mean, sigma: sigma)
  }

  private static let logRootTwoPi = Float(0.5 * log(2 * Double.pi))

  /// Mean over elements of -(x - μ)²/(2σ²) - log σ - log √(2π)
  private static func logProbability(of x: Tensor, mean: Tensor, sigma: Tensor) -> Tensor {
    let density = -(x - mean).squared() / (2 * sigma.squared()) - sigma.log() - logRootTwoPi
    return density.mean(axes: Array(1..<x.rank))
  }
}
