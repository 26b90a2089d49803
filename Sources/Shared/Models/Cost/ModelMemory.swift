// The memory that a whole model needs, told from its configurations before any weight is read.

package import Foundation
internal import Layers

extension TextToImageModel {
  /// Refuses work that this machine's memory cannot hold: all weights in float32, and the largest of the activations
  /// that decoding one picture, denoising a batch of samples and training a batch keep at once.
  ///
  /// - Parameters:
  ///   - samples: samples that are denoised at once.
  ///   - trained: samples whose backward pass is kept at once; 0 where nothing is trained, or with gradient
  ///     checkpointing.
  ///   - advice, available: as for `MemoryDemand.require`.
  /// - Throws: `MemoryShortage` naming the folder and all sizes; `ModelConfigurationError` when a part is not
  ///   supported.
  package static func requireMemory(
    folder: URL, samples: Int = 1, trained: Int = 0, advice: String, available: Int? = MemoryDemand.available
  ) throws {
    func read(_ part: String) throws -> ModelConfiguration {
      try ModelConfiguration(file: folder.appending(path: "\(part)/config.json"))
    }
    try requireSupported(folder)
    let text = try CLIPTextConfiguration(read("text_encoder"))
    let denoiser = try UNetConfiguration(read("unet"))
    let vae = try AutoencoderConfiguration(read("vae"))
    // Prompts are padded to the text encoder's length, 77 tokens for Stable Diffusion, which is what the UNet attends
    // to.
    let tokens = text.maximumLength
    let decoding = try vae.decodingCost(batch: 1, latent: denoiser.sampleSize)
    let unet = try denoiser.cost(batch: samples, tokens: tokens)
    var demand = MemoryDemand()
    for (part, parameters) in [
      ("text_encoder", try text.cost(batch: 1, tokens: 1).parameters), ("unet", unet.parameters),
      ("vae", try decoding.parameters + vae.encodingCost(batch: 1, latent: denoiser.sampleSize).parameters),
    ] {
      demand.add("\(folder.path)/\(part): weights", bytes: 4 * parameters)
    }
    // Half of all layers' outputs: some kernels recompute what they need instead of keeping it.
    let training = trained > 0 ? try denoiser.cost(batch: trained, tokens: tokens).outputs / 2 : 0
    let (most, what) = [
      (training, "values kept to train \(trained) samples at once"), (decoding.widest, "decoding"),
      (unet.widest, "denoising \(samples) samples at once"),
    ].max { $0.0 < $1.0 }!
    demand.add(what, bytes: 4 * most)
    try demand.require(available: available, advice: advice)
  }
}
