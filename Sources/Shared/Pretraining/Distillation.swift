// The work of `stepwise distill`: reads a model folder and writes the same model for one to four steps.

internal import Diffusion
internal import Engine
package import Foundation
package import Imaging
internal import Layers
internal import Models

/// Text encoder and autoencoder are those of the teacher.
package struct Distillation {
  private let model, output, work: URL
  private let pictures: VariedPictures
  private let guidance: Float
  private let schedule: TrainingSchedule
  private let report: (TrainingProgress) -> Void

  /// - Parameters:
  ///   - model: the teacher, a diffusers folder.
  ///   - guidance: guidance scale of the teacher's steps.
  ///   - output: the folder to write; may be `model` itself.
  ///   - work: folder for checkpoints; a run found there is continued.
  package init(
    model: URL, pictures: some CaptionedPictures, guidance: Float, schedule: TrainingSchedule, output: URL, work: URL,
    report: @escaping (TrainingProgress) -> Void
  ) throws {
    let configuration = try AutoencoderConfiguration(
      ModelConfiguration(file: model.appending(path: "vae/config.json")))
    self.pictures = try VariedPictures(pictures, side: configuration.sampleSize)
    (self.model, self.output, self.work) = (model, output, work)
    (self.guidance, self.schedule, self.report) = (guidance, schedule, report)
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
  }

  package func run() throws {
    let unet = model.appending(path: "unet")
    let vae = try AutoencoderKL(folder: model.appending(path: "vae"))
    let tokenizer = try Tokenizer(folder: model.appending(path: "tokenizer"))
    let student = try UNet2DCondition(folder: unet)
    let distillation = ConsistencyDistillation(
      student: student, teacher: try UNet2DCondition(folder: unet), target: try UNet2DCondition(folder: unet),
      text: try CLIPText(folder: model.appending(path: "text_encoder")), schedule: try NoiseSchedule(folder: model),
      latents: LatentTable(
        pictures, variations: Pretraining.latentVariations, encoder: vae, random: RandomStream(seed: 3)),
      captions: pictures.captions, tokenize: { try tokenizer.encode($0) }, guidance: guidance)
    try distillation.train(schedule, folder: work, report: report)
    if output != model { try copyAllButUNet() }
    let values = try ModelConfiguration(file: unet.appending(path: "config.json")).values
    try ModelFolder.write(
      student.parameters, configuration: values, file: "diffusion_pytorch_model.safetensors",
      to: output.appending(path: "unet"))
  }

  private func copyAllButUNet() throws {
    let files = FileManager.default
    for part in ["model_index.json", "scheduler", "text_encoder", "tokenizer", "vae"] {
      let target = output.appending(path: part)
      if files.fileExists(atPath: target.path) { try files.removeItem(at: target) }
      try files.createDirectory(at: output, withIntermediateDirectories: true)
      try files.copyItem(at: model.appending(path: part), to: target)
    }
  }
}
