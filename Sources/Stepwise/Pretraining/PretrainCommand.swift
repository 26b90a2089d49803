// `stepwise pretrain`: a text-to-image model and a CLIP from captioned pictures.

import ArgumentParser
import Engine
import Foundation
import Imaging
import Pretraining

struct PretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Train a small text-to-image model and its CLIP from captioned pictures.",
    discussion: """
      Four stages: autoencoder, CLIP, then denoiser and text encoder together. Each writes a checkpoint a minute into \
      the work folder and goes on from there when the command is given again.
      """)

  @OptionGroup var data: PictureOptions
  @Option(help: "Let the denoiser learn only this subset of the glyphs; few good subjects beat many.")
  var subjects: String?
  @Option(help: "Model folder to write, in diffusers' format.") var output: String
  @Option(help: "CLIP folder to write, in transformers' format.") var clipOutput: String
  @Option(help: "Folder for checkpoints.") var work = "runs/pretrain"
  @Option(help: "Side of the pictures in pixels; a multiple of 8.") var side = 64
  @Option(help: "Optimiser steps of the autoencoder.") var vaeSteps = 2600
  @Option(help: "Optimiser steps of the CLIP.") var clipSteps = 800
  @Option(help: "Optimiser steps of denoiser and text encoder.") var unetSteps = 5600
  @Option(help: "Worker threads; all cores when absent.") var threads: Int?

  func validate() throws {
    guard side > 0, side % 8 == 0 else {
      throw ValidationError("--side: expected a positive multiple of 8, found \(side)")
    }
    guard min(vaeSteps, clipSteps, unetSteps) > 0 else {
      throw ValidationError("--vae-steps, --clip-steps, --unet-steps: expected positive numbers")
    }
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

/// Which pictures to learn from.
struct PictureOptions: ParsableArguments {
  @Option(help: "A folder with pictures and metadata.jsonl (file_name, text); the emoji font's glyphs when absent.")
  var pictures: String?
  @Option(
    help: "Without --pictures, which glyphs: \(GlyphDataset.Subset.allCases.map(\.rawValue).joined(separator: ", ")).")
  var glyphs = "living"

  func load() throws -> any CaptionedPictures {
    if let pictures { return try ImageFolderDataset(folder: URL(fileURLWithPath: pictures)) }
    return try Self.glyphs(glyphs)
  }

  /// The glyphs of a subset's name.
  static func glyphs(_ name: String) throws -> GlyphDataset {
    guard let subset = GlyphDataset.Subset(rawValue: name) else {
      throw ValidationError(
        "glyphs: expected one of \(GlyphDataset.Subset.allCases.map(\.rawValue).joined(separator: ", ")), found \(name)")
    }
    return try GlyphDataset(subset)
  }
}

/// Prints where a stage stands, a line every few seconds.
struct StageReporter {
  func report(_ progress: TrainingProgress) {
    let minutes = Int(progress.secondsLeft / 60), seconds = Int(progress.secondsLeft) % 60
    print(
      "\(progress.stage) \(progress.step)/\(progress.steps)  loss \(String(format: "%.4f", progress.loss))  "
        + "\(minutes) min \(seconds) s left")
    fflush(nil)
  }
}
