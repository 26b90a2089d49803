// `stepwise evaluate`: scores a model, with or without an adapter.

import ArgumentParser
import Configuration
import Durable
import Foundation
import Programs
import Rewards
import Supervision
import Telemetry

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Score the pictures of a model: means, standard errors and diversity.",
    discussion: """
      The initial noise depends on prompts and seeds only, so a model can be compared with and without an adapter.
      """)

  @OptionGroup var model: ModelOptions
  @Option(help: "File with one prompt per line.") var prompts: String
  @Option(
    parsing: .upToNextOption, help: "Rewards to score with: \(ScorerRegistry.names.joined(separator: ", ")).")
  var reward: [String]
  @OptionGroup var scorerOptions: ScorerModelOptions
  @Option(help: "Pictures per prompt.") var seeds = 4
  @Option(help: "First seed; the others follow it.") var firstSeed: UInt64 = 1000
  @Flag(help: "Also measure the divergence from the model without the adapter; the denoiser then runs twice per step.")
  var divergence = false
  @Option(help: "JSON file to write the result to.") var json: String?

  func validate() throws {
    try requirePositive(["seeds": seeds])
    guard !reward.isEmpty else { throw ValidationError("--reward: name at least one reward") }
  }

  func run() throws {
    let texts = try Configuration.prompts(inFile: prompts, key: "--prompts")
    guard !texts.isEmpty else { throw CommandError("\(prompts) contains no prompt; write one per line") }
    let generator = try model.load()
    let settings = try scorerOptions.settings()
    let scorers = try reward.map { try ScorerRegistry.make($0, settings) }
    let evaluation = Evaluation(
      prompts: texts, firstSeed: firstSeed, seeds: seeds, scorers: scorers, clip: try scorerOptions.clip(),
      measuresDivergence: divergence)
    let progress = ProgressLine("pictures", total: texts.count * seeds)
    let result = try evaluation.measure(generator, lora: model.lora) { progress.update($0) }
    if let json { try Disk.writeWhole(result.report.json(), to: json) }
    print(result.report.table(prompts: texts), terminator: "")
  }
}

struct ScorerModelOptions: ParsableArguments {
  @Option(help: "CLIP folder (transformers format) for the rewards alignment and diversity.")
  var alignmentModel = RewardSettings().alignmentModel
  @Option(
    name: .customLong("reward-model"),
    help: ArgumentHelp(
      "Model of another reward: \(ScorerRegistry.models.joined(separator: ", ")). May be repeated.",
      valueName: "name=path"))
  var rewardModels: [String] = []

  func settings() throws -> RewardSettings {
    var settings = RewardSettings()
    settings.alignmentModel = alignmentModel
    for option in rewardModels {
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw CommandError("--reward-model: expected NAME=PATH, such as clip-score=Models/clip, found \(option)")
      }
      settings.models[parts[0]] = parts[1]
    }
    return settings
  }

  /// The CLIP model that measures diversity; nil when its folder does not exist.
  func clip() throws -> Alignment? {
    FileManager.default.fileExists(atPath: alignmentModel) ? try Alignment(folder: URL(filePath: alignmentModel)) : nil
  }
}
