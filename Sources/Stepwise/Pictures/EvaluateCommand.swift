// `stepwise evaluate`: how good a policy is, in numbers.

import ArgumentParser
import Configuration
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
    let settings = try scorerOptions.settings()
    let scorers = try reward.map { try ScorerRegistry.make($0, settings) }
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

/// The models of rewards.
struct ScorerModelOptions: ParsableArguments {
  @Option(help: "CLIP folder (transformers format) of the reward alignment, and of diversity.")
  var alignmentModel = RewardSettings().alignmentModel
  @Option(
    name: .customLong("reward-model"),
    help: ArgumentHelp(
      "A model of another reward, of \(ScorerRegistry.models.joined(separator: ", ")); may be repeated.",
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

  /// The CLIP that measures diversity; nil when its folder is not there.
  func clip() throws -> Alignment? {
    FileManager.default.fileExists(atPath: alignmentModel) ? try Alignment(folder: URL(filePath: alignmentModel)) : nil
  }
}
