// Classifier-free guidance (Ho and Salimans, arXiv 2207.12598). The scale of sampling is the scale of training.

package import Engine

/// A network that denoises: states `[B, C, H, W]`, one timestep a state, text states `[B, S, D]` to its output, shaped
/// as the states.
package typealias Denoiser = (_ sample: Tensor, _ timesteps: [Int], _ encoderHiddenStates: Tensor) -> Tensor

/// The text that a batch is denoised towards, and how strongly.
package struct Conditioning: Sendable {
  /// One prompt's states a sample, `[B, S, D]`.
  package let text: Tensor
  /// The empty prompt's states, `[1, S, D]`, or what each sample is to move away from, `[B, S, D]`; used only when the
  /// scale is greater than 1.
  package let empty: Tensor?
  /// 1 and less: no guidance.
  package let scale: Float

  package init(text: Tensor, empty: Tensor? = nil, scale: Float = 1) {
    check(scale <= 1 || empty != nil, "Conditioning: a guidance scale of \(scale) needs the empty prompt's states")
    check(
      empty == nil || [1, text.shape[0]].contains(empty!.shape[0]),
      "Conditioning: empty states \(empty?.shape ?? []) for text \(text.shape)")
    self.text = text
    self.empty = empty
    self.scale = scale
  }

  /// The states of some of the samples, in the order of the indices.
  package func rows(_ indices: [Int]) -> Conditioning {
    Conditioning(text: text.rows(indices), empty: empty.map { $0.shape[0] == 1 ? $0 : $0.rows(indices) }, scale: scale)
  }

  /// The network's output under guidance, `[B, C, H, W]`: uncond + s (text - uncond) when s > 1, or else text alone.
  package func output(of denoiser: Denoiser, sample: Tensor, timesteps: [Int]) -> Tensor {
    guard scale > 1, let empty else { return denoiser(sample, timesteps, text) }
    let count = sample.shape[0]
    let without = empty.shape[0] == 1 ? empty.rows([Int](repeating: 0, count: count)) : empty
    let both = denoiser(
      Tensor.concatenated([sample, sample], axis: 0), timesteps + timesteps,
      Tensor.concatenated([without, text], axis: 0))
    let unconditional = both.slice(axis: 0, 0..<count), conditional = both.slice(axis: 0, count..<2 * count)
    return unconditional + scale * (conditional - unconditional)
  }
}
