// Decoders from latents to pictures: the model's own autoencoder, or a small one that is nearly as good and much
// faster.

package import Engine
internal import Foundation

package protocol LatentDecoder: AnyObject {
  /// The factor by which latents are multiplied before diffusion.
  var scalingFactor: Float { get }
  var latentChannels: Int { get }
  /// Side of a picture divided by the side of its latent.
  var reduction: Int { get }
  /// Latents `[B, C, h, w]`, not scaled (divide by `scalingFactor` first), to pictures `[B, 3, H, W]` in about -1...1.
  func decode(_ latents: Tensor) -> Tensor
}

extension LatentDecoder {
  /// Scaled latents `[n, C, h, w]`, as diffusion uses them, to pictures `[n, 3, H, W]`. To bound the memory, at most 8
  /// pictures are decoded at a time, and no more than 64 x 64 positions of latents unless one picture has more.
  package func pictures(ofScaled latents: Tensor) -> Tensor {
    let size = max(1, min(8, 4096 / (latents.shape[2] * latents.shape[3])))
    let parts = stride(from: 0, to: latents.shape[0], by: size).map { first in
      decode(latents.slice(axis: 0, first..<min(first + size, latents.shape[0])) / scalingFactor)
    }
    return Tensor.concatenated(parts, axis: 0)
  }
}

extension AutoencoderKL: LatentDecoder {
  package var latentChannels: Int { configuration.latentChannels }
  package var reduction: Int { configuration.reduction }
}

extension AutoencoderTiny: LatentDecoder {
  package var scalingFactor: Float { configuration.scalingFactor }
  package var latentChannels: Int { configuration.latentChannels }
  package var reduction: Int { 1 << (configuration.decoderBlocks.count - 1) }
}
