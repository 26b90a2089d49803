// A whole text-to-image model, from one folder in diffusers' format.

public import Engine
public import Foundation
internal import Layers

/// Tokenizer, text encoder, denoiser and autoencoder of one folder.
///
/// Not Sendable: a model belongs to the task that loaded it.
public final class TextToImageModel {
  public let folder: URL
  public let tokenizer: Tokenizer
  public let text: CLIPText
  public let unet: UNet2DCondition
  public let vae: AutoencoderKL
  /// Names this model among all: equal on machines that hold the same files.
  public let fingerprint: String

  /// Loads a folder.
  ///
  /// - Throws: an error that names the file and what was expected, when a part is missing, of an architecture that is
  ///   not supported, or does not fit the others.
  public init(folder: URL) throws {
    self.folder = folder
    let index = try ModelConfiguration(file: folder.appending(path: "model_index.json"))
    try index.require("_class_name", oneOf: .string("StableDiffusionPipeline"))
    fingerprint = try ModelFingerprint(folder: folder).description
    tokenizer = try Tokenizer(folder: folder.appending(path: "tokenizer"))
    text = try CLIPText(folder: folder.appending(path: "text_encoder"))
    unet = try UNet2DCondition(folder: folder.appending(path: "unet"))
    vae = try AutoencoderKL(folder: folder.appending(path: "vae"))
    let (width, expected) = (text.configuration.tower.width, unet.configuration.crossAttentionWidth)
    guard width == expected, vae.configuration.latentChannels == unet.configuration.inChannels else {
      throw ConfigurationError(
        description: "\(folder.path): the parts do not fit: text encoder of width \(width), UNet for \(expected); "
          + "autoencoder of \(vae.configuration.latentChannels) latent channels, UNet for "
          + "\(unet.configuration.inChannels)")
    }
  }

  /// Shape of one latent, `[C, h, w]`.
  public var latentShape: [Int] {
    [unet.configuration.inChannels, unet.configuration.sampleSize, unet.configuration.sampleSize]
  }

  /// Side of the model's pictures in pixels.
  public var imageSize: Int { unet.configuration.sampleSize * vae.configuration.reduction }

  /// The prompts' hidden states, `[n, S, D]`.
  ///
  /// - Throws: when a prompt has more tokens than the model takes.
  public func encode(_ prompts: [String]) throws -> Tensor {
    text(try prompts.map { try tokenizer.encode($0) })
  }

  /// Scaled latents `[n, C, h, w]`, as diffusion works on them, to pictures `[n, 3, H, W]` in about -1...1, a few at a
  /// time so that memory stays bounded.
  public func decode(_ latents: Tensor, batchSize: Int = 8) -> Tensor {
    let parts = stride(from: 0, to: latents.shape[0], by: batchSize).map { first in
      vae.decode(
        latents.slice(axis: 0, first..<min(first + batchSize, latents.shape[0])) / vae.scalingFactor)
    }
    return Tensor.concatenated(parts, axis: 0)
  }
}

extension TextToImageModel {
  /// The pictures of scaled latents `[n, C, h, w]` as rewards take them: RGB in 0...1, values beyond cut, not rounded,
  /// `[n, H, W, 3]`; differentiable.
  public func pixels(_ latents: Tensor) -> Tensor {
    (decode(latents) / 2 + 0.5).clamped(0, 1).permuted([0, 2, 3, 1])
  }
}

/// A short name of a model folder's contents: all configurations, and of the weights their headers and 64 samples.
struct ModelFingerprint: CustomStringConvertible {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  init(folder: URL) throws {
    for part in ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json"] {
      add(try ModelFingerprint.contents(folder.appending(path: part)))
    }
    for part in ["text_encoder", "unet", "vae"] {
      let directory = folder.appending(path: part)
      add(try ModelFingerprint.contents(directory.appending(path: "config.json")))
      let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
      for name in names.sorted() where name.hasSuffix(".safetensors") {
        try addSamples(of: directory.appending(path: name))
      }
    }
  }

  var description: String { String(format: "%016llx", state) }

  private static func contents(_ file: URL) throws -> Data {
    guard let data = try? Data(contentsOf: file, options: .alwaysMapped) else {
      throw ConfigurationError(
        description: "\(file.path): expected this part of a diffusers model folder, found no readable file")
    }
    return data
  }

  /// FNV-1a (Fowler, Noll, Vo), 64 bits.
  private mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  private mutating func addSamples(of file: URL) throws {
    let data = try ModelFingerprint.contents(file)
    withUnsafeBytes(of: UInt64(data.count).littleEndian) { add($0) }
    let length = min(4096, data.count)
    for sample in 0..<64 {
      let start = (data.count - length) / 63 * sample
      add(data[start..<start + length])
    }
  }
}
