// `stepwise distill`: consistency distillation to one to four steps without guidance.

import ArgumentParser
import Engine
import Foundation
import Imaging
import Models
import Pretraining

struct DistillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distil a model so that it samples in one to four steps without guidance.")

  @Option(help: "Model folder of the teacher, in diffusers' format.") var model: String
  @OptionGroup var data: PictureOptions
  @Option(help: "Model folder to write.") var output: String
  @Option(help: "Folder for the checkpoint.") var work = "runs/distill"
  @Option(help: "Guidance scale of the teacher.") var guidance: Float = 2
  @Option(help: "Optimizer steps.") var steps = 600
  @Option(help: "Pictures per step.") var batch = 16
  @Option(help: "Maximum learning rate.") var learningRate: Float = 3e-4
  @Option(help: "CLIP folder; with it, the model is measured at 1, 2, 4 and 8 steps, and a sheet is written.")
  var clip: String?
  @Option(help: "Worker threads. (default: all cores)") var threads: Int?

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
    if let clip { try measure(folder, clip: URL(fileURLWithPath: clip), captions: pictures.captions) }
  }

  private func measure(_ folder: URL, clip: URL, captions: [String]) throws {
    let shown = stride(from: 0, to: captions.count, by: max(1, captions.count / 12)).prefix(12).map { captions[$0] }
    let report = try ModelReport(
      model: TextToImageModel(folder: folder), clip: clip, captions: captions, steps: [1, 2, 4, 8], guidance: 1,
      shown: shown)
    for (steps, share) in report.accuracy {
      print("\(steps) steps: CLIP recognizes \(String(format: "%.1f", 100 * share))% of \(captions.count) prompts")
    }
    let sheet = folder.appending(path: "samples.png")
    try report.contactSheet(titles: shown).writePNG(to: sheet)
    print("wrote \(sheet.path)")
  }
}
