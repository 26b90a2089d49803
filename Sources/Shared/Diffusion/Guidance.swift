// Classifier-free guidance (Ho and Salimans, arXiv 2207.12598). Training uses the scale that sampling used.

package import Engine

/// A denoising network: states `[B, C, H, W]`, one timestep per state, text states `[B, S, D]`. Its output has the
/// shape of the states.
package typealias Denoiser = (_ sample: Tensor, _ timesteps: [Int], _ encoderHiddenStates: Tensor) -> Tensor

/// The text states that a batch is conditioned on, and the guidance scale.
package struct Conditioning: Sendable {
  /// The states of one prompt per sample, `[B, S, D]`.
  package let text: Tensor
  /// The states of the empty prompt, `[1, S, D]`, or of one negative prompt per sample, `[B, S, D]`; used only when
  /// the scale is greater than 1.
  package let empty: Tensor?
  /// No guidance at 1 and below.
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

  package func rows(_ indices: [Int]) -> Conditioning {
    Conditioning(text: text.rows(indices), empty: empty.map { $0.shape[0] == 1 ? $0 : $0.rows(indices) }, scale: scale)
  }

  /// The network's output with guidance, `[B, C, H, W]`: uncond + s (text - uncond) if s > 1, otherwise text alone.
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
