// Measures policies on the held-out prompts of a configuration.

import Configuration
import Diffusion
import Foundation
import Models
import Rewards
import Telemetry

struct Comparison {
  let prompts: [String]
  let seeds: Int
  private let generator: PictureGenerator
  private let evaluation: Evaluation

  /// Measures the rewards of the configuration and, with its CLIP model, alignment: it falls when a policy no longer
  /// draws what the prompt says.
  ///
  /// - Throws: an error that names the model, reward or file that cannot be loaded.
  init(_ configuration: Configuration) throws {
    prompts = try configuration.evaluationPrompts()
    seeds = configuration.evaluation.seeds
    let reward = configuration.reward
    let clip = FileManager.default.fileExists(atPath: reward.alignmentModel)
      ? try Alignment(folder: URL(filePath: reward.alignmentModel)) : nil
    let names = Set(reward.weights.keys).union(reward.shadow).union(clip == nil ? [] : ["alignment"])
    let scorers = try names.sorted().map { try ScorerRegistry.make($0, reward) }
    generator = try PictureGenerator(
      TextToImageModel(folder: URL(filePath: configuration.run.model)), lora: nil,
      settings: SamplingSettings(
        steps: configuration.sampling.steps, guidance: configuration.sampling.guidanceScale,
        eta: configuration.sampling.eta, spacing: .init(configuration.sampling.timestepSpacing)))
    evaluation = Evaluation(prompts: prompts, firstSeed: 1000, seeds: seeds, scorers: scorers, clip: clip)
  }

  var size: String { "\(prompts.count) held-out prompts, \(seeds) pictures each" }

  func measure(lora: URL?) throws -> Evaluation.Result {
    try generator.load(lora: lora)
    let progress = ProgressLine("pictures", total: prompts.count * seeds, output: .standardOutput)
    return try evaluation.measure(generator, lora: lora?.path) { progress.update($0) }
  }
}
