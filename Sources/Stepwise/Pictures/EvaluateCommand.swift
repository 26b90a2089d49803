// `stepwise evaluate`: how good a policy is, in numbers.

import ArgumentParser
import Foundation
import Supervision
import Rewards
import Telemetry

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Score a model on prompts: means, standard errors, diversity.",
    discussion: "The same prompts, seeds and settings give the same pictures, with or without an adapter.")

  @OptionGroup var model: ModelOptions
  @Option(help: "File with one prompt a line.") var prompts: String
  @Option(
    parsing: .upToNextOption, help: "Rewards: \(ScorerRegistry.names.joined(separator: ", ")).") var reward: [String]
  @OptionGroup var scorerOptions: ScorerModelOptions
  @Option(help: "Pictures a prompt.") var seeds = 4
  @Option(help: "The first of the seeds.") var firstSeed: UInt64 = 1000
  @Flag(help: "Measure the divergence from the model without the adapter too, which takes the denoiser twice.")
  var divergence = false
  @Option(help: "Write the result to this file as JSON.") var json: String?

  func validate() throws {
    guard seeds > 0 else { throw ValidationError("--seeds: expected a positive number, found \(seeds)") }
    guard !reward.isEmpty else { throw ValidationError("--reward: expected at least one name, found none") }
  }

  func run() throws {
    let texts = try readPrompts(prompts)
    let generator = try model.load()
    let scorers = try reward.map { try ScorerRegistry.make($0, scorerOptions.scorerOptions) }
    let evaluation = Evaluation(
      prompts: texts, firstSeed: firstSeed, seeds: seeds, scorers: scorers, clip: try scorerOptions.clip(),
      measuresDivergence: divergence)
    let progress = ProgressLine("pictures", total: texts.count * seeds)
    let result = try evaluation.measure(generator, lora: model.lora) { progress.update($0) }
    if let json {
      do {
        try result.report.json().write(to: URL(filePath: json), options: .atomic)
      } catch {
        throw CommandError("\(json): the result cannot be written: \(error.localizedDescription)")
      }
    }
    print(result.report.table(prompts: texts), terminator: "")
  }
}

/// Where scorers find their models.
struct ScorerModelOptions: ParsableArguments {
  @Option(help: "CLIP folder (transformers format) of the reward alignment, and of diversity.")
  var alignmentModel = "Models/emoji-clip"
  @Option(help: "CLIP folder of the reward clip-score.") var clipScoreModel: String?
  @Option(help: "CLIP folder of the reward pick-score.") var pickScoreModel: String?
  @Option(help: "CLIP folder of the reward hpsv2.") var hpsv2Model: String?
  @Option(help: "CLIP vision folder of the reward aesthetic.") var aestheticModel: String?
  @Option(help: "Linear head of the reward aesthetic, a safetensors file.") var aestheticHead: String?

  var scorerOptions: ScorerOptions {
    var options = ScorerOptions()
    options.alignmentModel = URL(filePath: alignmentModel)
    options.clipScoreModel = clipScoreModel.map { URL(filePath: $0) }
    options.pickScoreModel = pickScoreModel.map { URL(filePath: $0) }
    options.hpsv2Model = hpsv2Model.map { URL(filePath: $0) }
    options.aestheticModel = aestheticModel.map { URL(filePath: $0) }
    options.aestheticHead = aestheticHead.map { URL(filePath: $0) }
    return options
  }

  /// The CLIP that measures diversity; nil when its folder is not there.
  func clip() throws -> Alignment? {
    FileManager.default.fileExists(atPath: alignmentModel) ? try Alignment(folder: URL(filePath: alignmentModel)) : nil
  }
}
