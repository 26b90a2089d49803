// The one sampling loop: from noise to a clean state, by DDIM or by a latent consistency model. All noise comes from
// outside, so the same noise gives the same states.

package import Engine

package protocol SamplingProcess: Sendable {
  associatedtype Step: SampledStep
  /// The timesteps visited, the noisiest first.
  var timesteps: [Int] { get }

  /// Takes step `index`.
  ///
  /// - Parameters:
  ///   - output: the network's output, with guidance applied, `[B, C, H, W]`.
  ///   - sample: the noisy states, `[B, C, H, W]`.
  ///   - noise: standard normal, `[B, C, H, W]`.
  func step(_ index: Int, output: Tensor, sample: Tensor, noise: Tensor) -> Step
}

package protocol SampledStep {
  /// The next, less noisy states, `[B, C, H, W]`.
  var previous: Tensor { get }
}

extension LCM: SamplingProcess {}
extension LCM.Step: SampledStep {}
extension DDIM.Step: SampledStep {}

extension DDIM: SamplingProcess {
  package func step(_ index: Int, output: Tensor, sample: Tensor, noise: Tensor) -> Step {
    step(
      output: output, sample: sample, timesteps: [Int](repeating: timesteps[index], count: sample.shape[0]),
      noise: noise)
  }
}

/// A point at which samples become several: the states up to it are computed once and shared.
package struct Branching: Sendable {
  /// The step from which the branches differ; they share its noisy state and the network's output at it.
  let step: Int
  /// The sample that each branch continues.
  let sources: [Int]
}

extension SamplingProcess {
  /// Samples a batch; no gradients are recorded.
  ///
  /// - Parameters:
  ///   - initial: the noisiest states, `[B, C, H, W]`, standard normal.
  ///   - branching: nil where every sample stays one.
  ///   - noise: standard normal numbers for a step index, one sample per sample of that step; called once per step in
  ///     ascending order.
  ///   - record: receives every step: its index, the states that it began in, its result, and the conditioning.
  /// - Returns: the states after the last step, `[B, C, H, W]`.
  @discardableResult
  package func sample(
    initial: Tensor, conditioning: Conditioning, branching: Branching? = nil, denoiser: Denoiser,
    noise: (Int) -> Tensor,
    record: (_ index: Int, _ states: Tensor, _ step: Step, _ conditioning: Conditioning) -> Void = { _, _, _, _ in }
  ) -> Tensor {
    Tape.withoutGradients {
      var state = initial, conditioning = conditioning
      for (index, timestep) in timesteps.enumerated() {
        var output = conditioning.output(
          of: denoiser, sample: state, timesteps: [Int](repeating: timestep, count: state.shape[0]))
        if let branching, branching.step == index {
          (state, output) = (state.rows(branching.sources), output.rows(branching.sources))
          conditioning = conditioning.rows(branching.sources)
        }
        let step = step(index, output: output, sample: state, noise: noise(index))
        record(index, state, step, conditioning)
        state = step.previous
      }
      return state
    }
  }
}
