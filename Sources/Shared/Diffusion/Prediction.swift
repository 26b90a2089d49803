// From a network's output to the clean state and the noise, for each of the three quantities that a network predicts.

package import Engine

extension NoiseSchedule {
  /// ᾱ at one timestep per sample, shaped to broadcast over samples of `rank` axes.
  func cumulativeAlpha(at timesteps: [Int], rank: Int) -> Tensor {
    Tensor(timesteps.map { cumulativeAlphas[$0] }, shape: column(timesteps.count, rank))
  }

  /// The predicted clean state x̂0 and noise ε̂. Outputs and samples are `[B, ...]`, with one timestep per sample.
  ///
  ///     ε:  x̂0 = (x - √(1-ᾱ) ε) / √ᾱ        x0: ε̂ = (x - √ᾱ x0) / √(1-ᾱ)
  ///     v:  x̂0 = √ᾱ x - √(1-ᾱ) v,  ε̂ = √ᾱ v + √(1-ᾱ) x
  package func cleanAndNoise(output: Tensor, sample: Tensor, timesteps: [Int]) -> (clean: Tensor, noise: Tensor) {
    check(
      output.shape == sample.shape && sample.shape.first == timesteps.count,
      "cleanAndNoise: output \(output.shape), sample \(sample.shape), \(timesteps.count) timesteps")
    let alpha = cumulativeAlpha(at: timesteps, rank: sample.rank)
    let a = alpha.sqrt(), b = (1 - alpha).sqrt()
    switch configuration.prediction {
    case .epsilon: return ((sample - b * output) / a, output)
    case .sample: return (output, (sample - a * output) / b)
    case .velocity: return (a * sample - b * output, a * output + b * sample)
    }
  }
}

/// `[count, 1, 1, ...]` of `rank` axes.
func column(_ count: Int, _ rank: Int) -> [Int] { [count] + [Int](repeating: 1, count: max(rank - 1, 0)) }
