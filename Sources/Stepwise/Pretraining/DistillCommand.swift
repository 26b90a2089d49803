// `stepwise distill`: a model of many guided steps becomes one of one to four.

import ArgumentParser
import Engine
import Foundation
import Imaging
import Models
import Pretraining

struct DistillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distil a model for sampling in one to four steps without guidance (consistency distillation).")

  @Option(help: "The teacher, a model folder in diffusers' format.") var model: String
  @OptionGroup var data: PictureOptions
  @Option(help: "Model folder to write.") var output: String
  @Option(help: "Folder for the checkpoint.") var work = "runs/distill"
  @Option(help: "Guidance scale of the teacher's steps.") var guidance: Float = 2
  @Option(help: "Optimiser steps.") var steps = 600
  @Option(help: "Pictures a step.") var batch = 16
  @Option(help: "Highest learning rate.") var learningRate: Float = 3e-4
  @Option(help: "A CLIP folder; with it, the model is judged at 1, 2, 4 and 8 steps and a sheet is written.")
  var clip: String?
  @Option(help: "Worker threads; all cores when absent.") var threads: Int?

  func run() throws {
    try Compute.start(threads: threads)
    print(Compute.summary)
    let pictures = try data.load(), folder = URL(fileURLWithPath: output)
    let schedule = TrainingSchedule(steps: steps, batchSize: batch, learningRate: learningRate, averaging: 0.99)
    try Distillation(
      model: URL(fileURLWithPath: model), pictures: pictures, guidance: guidance, schedule: schedule, output: folder,
      work: URL(fileURLWithPath: work), report: StageReporter().report
    ).run()
    print("wrote \(output)")
    if let clip { try judge(folder, clip: URL(fileURLWithPath: clip), captions: pictures.captions) }
  }

  private func judge(_ folder: URL, clip: URL, captions: [String]) throws {
    let shown = stride(from: 0, to: captions.count, by: max(1, captions.count / 12)).prefix(12).map { captions[$0] }
    let report = try ModelReport(
      model: TextToImageModel(folder: folder), clip: clip, captions: captions, steps: [1, 2, 4, 8], guidance: 1,
      shown: shown)
    for (steps, share) in report.accuracy {
      print("\(steps) steps: the CLIP names \(String(format: "%.1f", 100 * share))% of \(captions.count) prompts right")
    }
    let sheet = folder.appending(path: "samples.png")
    try report.contactSheet(titles: shown).writePNG(to: sheet)
    print("wrote \(sheet.path)")
  }
}
