// `stepwise pretrain`: trains a text-to-image model and a CLIP model on captioned pictures.

import ArgumentParser
import Engine
import Foundation
import Imaging
import Pretraining
import Programs

struct PretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Train a small text-to-image model and a CLIP model on captioned pictures.",
    discussion: """
      Three stages: the autoencoder, the CLIP model, then the denoiser together with the text encoder. Each stage \
      writes a checkpoint to the work folder once per minute, and continues from it when the command runs again.
      """)

  @OptionGroup var data: PictureOptions
  @Option(help: "Train the denoiser on this subset of the glyphs only; it learns a few subjects better than many.")
  var subjects: String?
  @Option(help: "Model folder to write, in diffusers' format.") var output: String
  @Option(help: "CLIP folder to write, in transformers' format.") var clipOutput: String
  @Option(help: "Folder for checkpoints.") var work = "runs/pretrain"
  @Option(help: "Side of the pictures in pixels, a multiple of 8.") var side = 64
  @Option(help: "Optimizer steps of the autoencoder.") var vaeSteps = 2600
  @Option(help: "Optimizer steps of the CLIP model.") var clipSteps = 800
  @Option(help: "Optimizer steps of the denoiser and the text encoder.") var unetSteps = 5600
  @Option(help: "Worker threads. (default: all cores)") var threads: Int?

  func validate() throws {
    guard side > 0, side % 8 == 0 else {
      throw ValidationError("--side: expected a positive multiple of 8, found \(side)")
    }
    try requirePositive(["vae-steps": vaeSteps, "clip-steps": clipSteps, "unet-steps": unetSteps])
  }

  func run() throws {
    try Compute.start(threads: threads)
    print(Compute.summary)
    var schedules = Pretraining.Schedules()
    schedules.vae.steps = vaeSteps
    schedules.clip.steps = clipSteps
    schedules.unet.steps = unetSteps
    let reporter = StageReporter()
    try Pretraining(
      pictures: data.load(), subjects: subjects.map(PictureOptions.glyphs), side: side,
      output: URL(fileURLWithPath: output),
      clipOutput: URL(fileURLWithPath: clipOutput), work: URL(fileURLWithPath: work), schedules: schedules,
      report: reporter.report
    ).run()
    print("wrote \(output) and \(clipOutput)")
  }
}

struct PictureOptions: ParsableArguments {
  @Option(help: "Folder with pictures and metadata.jsonl (file_name, text). (default: glyphs of the emoji font)")
  var pictures: String?
  @Option(help: "Glyphs to use without --pictures: \(names).") var glyphs = "living"

  private static let names = GlyphDataset.Subset.allCases.map(\.rawValue).joined(separator: ", ")

  func load() throws -> any CaptionedPictures {
    if let pictures { return try ImageFolderDataset(folder: URL(fileURLWithPath: pictures)) }
    return try Self.glyphs(glyphs)
  }

  static func glyphs(_ name: String) throws -> GlyphDataset {
    guard let subset = GlyphDataset.Subset(rawValue: name) else {
      throw ValidationError("glyphs: expected one of \(Self.names), found \(name)")
    }
    return try GlyphDataset(subset)
  }
}

/// Prints the progress of a stage, one line every few seconds.
struct StageReporter {
  func report(_ progress: TrainingProgress) {
    let minutes = Int(progress.secondsLeft / 60), seconds = Int(progress.secondsLeft) % 60
    print(
      "\(progress.stage) \(progress.step)/\(progress.steps)  loss \(String(format: "%.4f", progress.loss))  "
        + "\(minutes) min \(seconds) s left")
    fflush(nil)
  }
}
