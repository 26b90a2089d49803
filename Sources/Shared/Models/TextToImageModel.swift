// A whole text-to-image model, from one folder in diffusers' format.

package import Engine
package import Foundation

/// Tokenizer, text encoder, denoiser and autoencoder of one folder.
///
/// Not Sendable: a model belongs to the thread that loaded it.
package final class TextToImageModel {
  package let folder: URL
  package let tokenizer: Tokenizer
  package let text: CLIPText
  package let unet: UNet2DCondition
  package let vae: AutoencoderKL
  /// The decoder that `decode` uses: the model's own autoencoder unless it was replaced.
  package private(set) var decoder: any LatentDecoder
  /// A short name of the model, equal on all machines that hold the same files; see `ModelFingerprint`.
  package let fingerprint: String

  /// - Parameters:
  ///   - weights: random weights need only the configuration files.
  ///   - tokenizer: replaces the folder's own, which may then be missing.
  /// - Throws: an error that names the file, when a part is missing, has an unsupported architecture, or does not fit
  ///   the others.
  package init(folder: URL, weights: WeightOrigin = .files, tokenizer: Tokenizer? = nil) throws {
    self.folder = folder
    try Self.requireSupported(folder)
    fingerprint = try ModelFingerprint(folder: folder, weights: weights, ownTokenizer: tokenizer == nil).description
    self.tokenizer = try tokenizer ?? Tokenizer(folder: folder.appending(path: "tokenizer"))
    text = try CLIPText(folder: folder.appending(path: "text_encoder"), weights: weights)
    unet = try UNet2DCondition(folder: folder.appending(path: "unet"), weights: weights)
    vae = try AutoencoderKL(folder: folder.appending(path: "vae"), weights: weights)
    decoder = vae
    try requireFit()
  }

  /// - Throws: `ModelConfigurationError` when a folder does not hold a model, or one of another kind.
  static func requireSupported(_ folder: URL) throws {
    let index = try ModelConfiguration(file: folder.appending(path: "model_index.json"))
    try index.require("_class_name", oneOf: .string("StableDiffusionPipeline"))
  }

  private func requireFit() throws {
    let (width, expected) = (text.configuration.tower.width, unet.configuration.crossAttentionWidth)
    guard width == expected, vae.latentChannels == unet.configuration.inChannels else {
      throw ModelConfigurationError(
        description: "\(folder.path): the parts do not fit together: the text encoder has width \(width), the UNet "
          + "expects \(expected); the autoencoder has \(vae.latentChannels) latent channels, the UNet expects "
          + "\(unet.configuration.inChannels)")
    }
    let (length, positions) = (tokenizer.maximumLength, text.configuration.maximumLength)
    guard length <= positions, tokenizer.largestID < text.configuration.vocabularySize else {
      throw ModelConfigurationError(
        description: "\(folder.path): the parts do not fit together: the tokenizer makes \(length) tokens per prompt "
          + "with ids up to \(tokenizer.largestID), the text encoder has \(positions) positions and "
          + "\(text.configuration.vocabularySize) ids")
    }
  }

  /// Decodes with the AutoencoderTiny of a diffusers folder from now on. Its latents must have the model's shape.
  package func useTinyDecoder(_ folder: URL) throws {
    let tiny = try AutoencoderTiny(folder: folder)
    guard tiny.latentChannels == vae.latentChannels, tiny.reduction == vae.reduction else {
      throw ModelConfigurationError(
        description: "\(folder.path): expected a decoder with \(vae.latentChannels) latent channels and a reduction "
          + "of \(vae.reduction), as the autoencoder of \(self.folder.path) has, found \(tiny.latentChannels) and "
          + "\(tiny.reduction)")
    }
    decoder = tiny
  }

  /// Shape of one latent, `[C, h, w]`.
  package var latentShape: [Int] {
    [unet.configuration.inChannels, unet.configuration.sampleSize, unet.configuration.sampleSize]
  }

  /// Side of the model's pictures, in pixels.
  package var imageSize: Int { unet.configuration.sampleSize * vae.reduction }

  /// The prompts' hidden states, `[n, S, D]`.
  package func encode(_ prompts: [String]) throws -> Tensor {
    text(try prompts.map { try tokenizer.encode($0) })
  }

  /// Scaled latents `[n, C, h, w]`, as diffusion uses them, to pictures `[n, 3, H, W]` in about -1...1; a few at a
  /// time, to bound the memory.
  package func decode(_ latents: Tensor) -> Tensor { decoder.pictures(ofScaled: latents) }

  /// The pictures of scaled latents `[n, C, h, w]` as rewards take them: RGB clamped to 0...1, not rounded,
  /// `[n, H, W, 3]`; differentiable.
  package func pixels(_ latents: Tensor) -> Tensor {
    (decode(latents) / 2 + 0.5).clamped(0, 1).permuted([0, 2, 3, 1])
  }
}
