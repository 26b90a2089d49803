// DDIM steps without noise between any two timesteps, and the noising of clean states. Pure functions of tensors.

package import Engine

extension NoiseSchedule {
  /// The noise-free DDIM step x' = √ᾱ' x̂0 + √(1-ᾱ') ε̂ (Song et al., arXiv 2010.02502), `[B, ...]`; differentiable.
  ///
  /// - Parameters:
  ///   - output: the network's output at `timesteps`, `[B, ...]`.
  ///   - sample: the states, `[B, ...]`.
  ///   - timesteps, targets: the timesteps of each state and of the state that its step leads to.
  package func deterministicStep(output: Tensor, sample: Tensor, from timesteps: [Int], to targets: [Int]) -> Tensor {
    let (clean, noise) = cleanAndNoise(output: output, sample: sample, timesteps: timesteps)
    let next = cumulativeAlpha(at: targets, rank: sample.rank)
    return next.sqrt() * clean + (1 - next).sqrt() * noise
  }

  /// The noisy states x = √ᾱ x0 + √(1-ᾱ) ε of clean states, with standard normal noise, all `[B, ...]`, and one
  /// timestep per sample.
  package func noised(_ clean: Tensor, noise: Tensor, timesteps: [Int]) -> Tensor {
    let alpha = cumulativeAlpha(at: timesteps, rank: clean.rank)
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
  }
}
