// What a whole model needs in memory, told from its configurations before any weight is read.

package import Foundation
internal import Layers

extension TextToImageModel {
  /// Refuses work that this machine's memory cannot hold: all weights in float32, and the most that is needed at once
  /// of what one picture's decoding, a batch of samples and a batch of training keep.
  ///
  /// - Parameters:
  ///   - folder: the model's.
  ///   - samples: samples that are denoised at once.
  ///   - trained: samples whose backward pass is kept at once; 0 where nothing is trained, or where activations are
  ///     computed again.
  ///   - advice: what the user can do.
  ///   - available: bytes there are; nil where nobody knows.
  /// - Throws: `MemoryShortage` naming the folder and all sizes; `ConfigurationError` when a part is not supported.
  package static func requireMemory(
    folder: URL, samples: Int = 1, trained: Int = 0, advice: String, available: Int? = MemoryDemand.available
  ) throws {
    func read(_ part: String) throws -> ModelConfiguration {
      try ModelConfiguration(file: folder.appending(path: "\(part)/config.json"))
    }
    try requireSupported(folder)
    let text = try CLIPTextConfiguration(read("text_encoder")).cost(batch: 1, tokens: 1)
    let denoiser = try UNetConfiguration(read("unet"))
    let vae = try AutoencoderConfiguration(read("vae"))
    let decoding = vae.decodingCost(batch: 1, latent: denoiser.sampleSize)
    let unet = denoiser.cost(batch: samples, tokens: 77)
    var demand = MemoryDemand()
    for (part, parameters) in [
      ("text_encoder", text.parameters), ("unet", unet.parameters),
      ("vae", decoding.parameters + vae.encodingCost(batch: 1, latent: denoiser.sampleSize).parameters),
    ] {
      demand.add("\(folder.path)/\(part): weights", bytes: 4 * parameters)
    }
    // Half of all layers' outputs: some kernels compute what they need again rather than keep it.
    let training = trained > 0 ? denoiser.cost(batch: trained, tokens: 77).outputs / 2 : 0
    let (most, what) = [
      (training, "values kept to train \(trained) samples at once"), (decoding.widest, "decoding"),
      (unet.widest, "denoising \(samples) samples at once"),
    ].max { $0.0 < $1.0 }!
    demand.add(what, bytes: 4 * most)
    try demand.require(available: available, advice: advice)
  }
}
