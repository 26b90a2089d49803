// A whole text-to-image model, from one folder in diffusers' format.

package import Engine
package import Foundation

/// Tokenizer, text encoder, denoiser and autoencoder of one folder.
///
/// Not Sendable: a model belongs to the task that loaded it.
package final class TextToImageModel {
  package let folder: URL
  package let tokenizer: Tokenizer
  package let text: CLIPText
  package let unet: UNet2DCondition
  package let vae: AutoencoderKL
  /// What `decode` uses: the model's own autoencoder, unless another has been put in its place.
  package private(set) var decoder: any LatentDecoder
  /// Names this model among all: equal on machines that hold the same files.
  package let fingerprint: String

  /// Loads a folder.
  ///
  /// - Parameters:
  ///   - weights: random ones need no files but configurations.
  ///   - tokenizer: takes the place of the folder's own, which need not be there then.
  /// - Throws: an error that names the file and what was expected, when a part is missing, of an architecture that is
  ///   not supported, or does not fit the others.
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

  /// - Throws: `ConfigurationError` when a folder holds no model, or one of another kind.
  static func requireSupported(_ folder: URL) throws {
    let index = try ModelConfiguration(file: folder.appending(path: "model_index.json"))
    try index.require("_class_name", oneOf: .string("StableDiffusionPipeline"))
  }

  private func requireFit() throws {
    let (width, expected) = (text.configuration.tower.width, unet.configuration.crossAttentionWidth)
    guard width == expected, vae.latentChannels == unet.configuration.inChannels else {
      throw ConfigurationError(
        description: "\(folder.path): the parts do not fit: text encoder of width \(width), UNet for \(expected); "
          + "autoencoder of \(vae.latentChannels) latent channels, UNet for \(unet.configuration.inChannels)")
    }
    let (length, positions) = (tokenizer.maximumLength, text.configuration.maximumLength)
    guard length <= positions, tokenizer.largestID < text.configuration.vocabularySize else {
      throw ConfigurationError(
        description: "\(folder.path): the parts do not fit: tokenizer of \(length) tokens a prompt and ids up to "
          + "\(tokenizer.largestID), text encoder of \(positions) positions and \(text.configuration.vocabularySize) ids")
    }
  }

  /// Decodes with the AutoencoderTiny of a diffusers folder from now on.
  ///
  /// - Throws: an error that names the folder when it is no AutoencoderTiny, or of another shape of latents than the
  ///   model's.
  package func useTinyDecoder(_ folder: URL) throws {
    let tiny = try AutoencoderTiny(folder: folder)
    guard tiny.latentChannels == vae.latentChannels, tiny.reduction == vae.reduction else {
      throw ConfigurationError(
        description: "\(folder.path): expected a decoder of \(vae.latentChannels) latent channels and \(vae.reduction) "
          + "pixels a latent's side, as the autoencoder of \(self.folder.path) has, found \(tiny.latentChannels) and "
          + "\(tiny.reduction)")
    }
    decoder = tiny
  }

  /// Shape of one latent, `[C, h, w]`.
  package var latentShape: [Int] {
    [unet.configuration.inChannels, unet.configuration.sampleSize, unet.configuration.sampleSize]
  }

  /// Side of the model's pictures in pixels.
  package var imageSize: Int { unet.configuration.sampleSize * vae.reduction }

  /// The prompts' hidden states, `[n, S, D]`.
  ///
  /// - Throws: when a prompt has more tokens than the model takes.
  package func encode(_ prompts: [String]) throws -> Tensor {
    text(try prompts.map { try tokenizer.encode($0) })
  }

  /// Scaled latents `[n, C, h, w]`, as diffusion works on them, to pictures `[n, 3, H, W]` in about -1...1, a few at a
  /// time so that memory stays bounded.
  package func decode(_ latents: Tensor) -> Tensor { decoder.pictures(ofScaled: latents) }
}

extension TextToImageModel {
  /// The pictures of scaled latents `[n, C, h, w]` as rewards take them: RGB in 0...1, values beyond cut, not rounded,
  /// `[n, H, W, 3]`; differentiable.
  package func pixels(_ latents: Tensor) -> Tensor {
    (decode(latents) / 2 + 0.5).clamped(0, 1).permuted([0, 2, 3, 1])
  }
}
