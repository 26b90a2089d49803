// Trains a text-to-image model and a CLIP from captioned pictures: first the tokenizer, then the autoencoder, the CLIP,
// and the denoiser together with its text encoder. Each stage continues from its checkpoint in the work folder.

internal import Engine
package import Foundation
package import Imaging
internal import Layers
internal import Models

package struct Pretraining {
  package struct Schedules: Sendable {
    package var vae = TrainingSchedule(steps: 2600, batchSize: 8, learningRate: 1.5e-3)
    package var clip = TrainingSchedule(steps: 800, batchSize: 64, learningRate: 1e-3, averaging: 0.99)
    package var unet = TrainingSchedule(steps: 5600, batchSize: 16, learningRate: 1.2e-3)

    package init() {}
  }

  /// Variations of each picture that the denoiser is trained on.
  static let latentVariations = 12

  private let description: ModelDescription
  private let pictures, subjects: VariedPictures
  private let tokenizer: Tokenizer
  private let output, clipOutput, work: URL
  private let schedules: Schedules
  private let report: (TrainingProgress) -> Void

  /// - Parameters:
  ///   - subjects: the pictures that the denoiser is trained on; nil for all. A few good subjects work better than
  ///     many.
  ///   - output: the model folder to write, in diffusers' format.
  ///   - clipOutput: the CLIP folder to write, in transformers' format.
  ///   - work: folder for checkpoints; a run found there is continued.
  package init(
    pictures: some CaptionedPictures, subjects: (any CaptionedPictures)? = nil, side: Int,
    output: URL, clipOutput: URL, work: URL, schedules: Schedules,
    report: @escaping (TrainingProgress) -> Void
  ) throws {
    let texts = pictures.captions.sorted().flatMap { name in
      PromptTemplates.all.indices.map { PromptTemplates.fill($0, name) }
    }
    let folder = output.appending(path: "tokenizer")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try TokenizerTrainer.train(texts: texts, vocabularySize: 1024, maximumLength: 16).write(to: folder)
    tokenizer = try Tokenizer(folder: folder)
    var description = ModelDescription(vocabularySize: tokenizer.vocabularySize)
    description.side = side
    self.description = description
    self.pictures = try VariedPictures(pictures, side: side)
    self.subjects = try subjects.map { try VariedPictures($0, side: side) } ?? self.pictures
    (self.output, self.clipOutput, self.work) = (output, clipOutput, work)
    (self.schedules, self.report) = (schedules, report)
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
  }

  package func run() throws {
    let vae = try trainAutoencoder()
    try trainCLIP(vae)
    try trainDenoiser(vae)
    try ModelFolder.write(ModelDescription.modelIndex, to: output.appending(path: "model_index.json"))
    try ModelFolder.write(
      ModelDescription.scheduler, to: output.appending(path: "scheduler/scheduler_config.json"))
  }

  private func trainAutoencoder() throws -> AutoencoderKL {
    let c = try AutoencoderConfiguration(ModelConfiguration(path: "new vae", values: description.vae))
    let vae = try AutoencoderKL(c, from: ParameterSource(random: RandomStream(seed: 1).fork("vae")))
    try AutoencoderTraining(model: vae, pictures: pictures).train(schedules.vae, folder: work, report: report)
    return vae
  }

  private func trainCLIP(_ vae: AutoencoderKL) throws {
    let values = description.clip(endToken: tokenizer.endToken, startToken: tokenizer.beginToken)
    let clip = try CLIP(
      configuration: ModelConfiguration(path: "new clip", values: values),
      from: ParameterSource(random: RandomStream(seed: 1).fork("clip")))
    try ContrastiveTraining(
      model: clip, autoencoder: vae, pictures: pictures, tokenize: { try tokenizer.encode($0) }
    ).train(schedules.clip, folder: work, report: report)
    try ModelFolder.write(clip.parameters, configuration: values, file: "model.safetensors", to: clipOutput)
    try ModelFolder.write(
      CLIPPreprocessorDescription.values(side: description.side),
      to: clipOutput.appending(path: "preprocessor_config.json"))
    try copyTokenizer(to: clipOutput)
  }

  private func trainDenoiser(_ vae: AutoencoderKL) throws {
    let latents = LatentTable(
      subjects, variations: Self.latentVariations, encoder: vae, random: RandomStream(seed: 3))
    var values = description.vae
    values["scaling_factor"] = .number(Double(latents.scale))
    try ModelFolder.write(
      vae.parameters, configuration: values, file: "diffusion_pytorch_model.safetensors",
      to: output.appending(path: "vae"))
    let random = RandomStream(seed: 1)
    let unet = try UNet2DCondition(
      UNetConfiguration(ModelConfiguration(path: "new unet", values: description.unet)),
      from: ParameterSource(random: random.fork("unet")))
    let textValues = description.text(endToken: tokenizer.endToken, startToken: tokenizer.beginToken)
    let text = try CLIPText(
      CLIPTextConfiguration(ModelConfiguration(path: "new text encoder", values: textValues)),
      from: ParameterSource(random: random.fork("text")))
    try DiffusionTraining(
      unet: unet, text: text, schedule: ModelDescription.schedule(), latents: latents, captions: subjects.captions,
      tokenize: { try tokenizer.encode($0) }
    ).train(schedules.unet, folder: work, report: report)
    try ModelFolder.write(
      unet.parameters, configuration: description.unet, file: "diffusion_pytorch_model.safetensors",
      to: output.appending(path: "unet"))
    try ModelFolder.write(
      text.parameters, configuration: textValues, file: "model.safetensors",
      to: output.appending(path: "text_encoder"))
  }

  private func copyTokenizer(to folder: URL) throws {
    let from = output.appending(path: "tokenizer")
    for name in try FileManager.default.contentsOfDirectory(atPath: from.path) {
      try Data(contentsOf: from.appending(path: name)).write(to: folder.appending(path: name), options: .atomic)
    }
  }
}

/// The transformers CLIPImageProcessor of the CLIP that pretraining makes.
enum CLIPPreprocessorDescription {
  static func values(side: Int) -> [String: JSONValue] {
    let size = JSONValue.number(Double(side))
    return [
      "image_processor_type": "CLIPImageProcessor", "do_resize": true, "do_center_crop": true, "do_rescale": true,
      "do_normalize": true, "do_convert_rgb": true, "resample": 3, "rescale_factor": .number(1.0 / 255),
      "size": .object(["shortest_edge": size]), "crop_size": .object(["height": size, "width": size]),
      "image_mean": .array(CLIPPreprocessing.mean.map { .number(Double($0)) }),
      "image_std": .array(CLIPPreprocessing.deviation.map { .number(Double($0)) }),
    ]
  }
}
