// What turns latents into pictures: the model's own autoencoder, or a small one that is nearly as good and much faster.

package import Engine
internal import Foundation

/// Latents to pictures.
package protocol LatentDecoder: AnyObject {
  /// Latents were multiplied by this before diffusion.
  var scalingFactor: Float { get }
  /// Channels of a latent.
  var latentChannels: Int { get }
  /// How much smaller latents are than pictures, a side.
  var reduction: Int { get }
  /// Latents `[B, C, h, w]`, not scaled (divide by `scalingFactor` first), to pictures `[B, 3, H, W]` in about -1...1.
  func decode(_ latents: Tensor) -> Tensor
}

extension LatentDecoder {
  /// Scaled latents `[n, C, h, w]`, as diffusion works on them, to pictures `[n, 3, H, W]`, a few at a time so that
  /// memory stays bounded: at most 8 pictures and, beyond one, 64 x 64 positions of latents.
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
