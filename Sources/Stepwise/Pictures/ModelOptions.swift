// Options that `generate` and `evaluate` share: a model, an adapter and a sampler.

import ArgumentParser
import Diffusion
import Engine
import Foundation
import Models
import Supervision

struct ModelOptions: ParsableArguments {
  @Option(help: "Model folder in diffusers' format.") var model: String
  @Option(help: "LoRA file in diffusers' format, such as pytorch_lora_weights.safetensors.") var lora: String?
  @Option(help: "Denoising steps.") var steps = 4
  @Option(help: "Classifier-free guidance scale; guidance is used above 1.") var guidance: Float = 1
  @Option(help: "Noise of DDIM, from 0 (deterministic) to 1.") var eta: Float = 1
  @Option(help: "Sampler: ddim or lcm.") var scheduler = SamplingSettings.Scheduler.ddim
  @Option(help: "Timestep spacing of ddim: leading, trailing or linspace. (default: that of the model)")
  var spacing: String?
  @Option(help: "AutoencoderTiny folder in diffusers' format; decodes much faster than the autoencoder of the model.")
  var tinyDecoder: String?
  @Option(help: "Use random weights with this seed; the model folder needs its config.json files only.")
  var randomWeights: UInt64?
  @Option(help: "CLIP tokenizer folder (vocab.json, merges.txt) to use instead of that of the model.")
  var tokenizer: String?
  @Option(help: "Worker threads. (default: all cores)") var threads: Int?

  func validate() throws {
    if let spacing, NoiseSchedule.Spacing(rawValue: spacing) == nil {
      throw ValidationError("--spacing: expected leading, trailing or linspace, found \(spacing)")
    }
  }

  var settings: SamplingSettings {
    SamplingSettings(
      steps: steps, guidance: guidance, eta: eta, scheduler: scheduler,
      spacing: spacing.flatMap { .init(rawValue: $0) })
  }

  /// Starts the compute threads and loads the model.
  ///
  /// - Throws: an error naming the file or setting that does not fit.
  func load() throws -> PictureGenerator {
    try Compute.start(threads: threads)
    FileHandle.standardError.write(Data("\(Compute.summary)\n".utf8))
    return try PictureGenerator(try loadModel(), lora: lora.map { URL(filePath: $0) }, settings: settings)
  }

  private func loadModel() throws -> TextToImageModel {
    let folder = URL(filePath: model), own = folder.appending(path: "tokenizer")
    if tokenizer == nil, randomWeights != nil, !FileManager.default.fileExists(atPath: own.path) {
      throw CommandError("\(own.path) does not exist; give a CLIP tokenizer folder with --tokenizer")
    }
    let replacement = try tokenizer.map { path in
      let configured = try CLIPTextConfiguration(
        ModelConfiguration(file: folder.appending(path: "text_encoder/config.json")))
      return try Tokenizer(folder: URL(filePath: path), maximumLength: configured.maximumLength)
    }
    try TextToImageModel.requireMemory(folder: folder, advice: "Take a smaller model, or a machine with more memory.")
    let loaded = try TextToImageModel(
      folder: folder, weights: randomWeights.map { .random(seed: $0) } ?? .files, tokenizer: replacement)
    if let tinyDecoder { try loaded.useTinyDecoder(URL(filePath: tinyDecoder)) }
    return loaded
  }
}
