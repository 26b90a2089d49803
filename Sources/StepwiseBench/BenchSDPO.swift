// `stepwise-bench sdpo`: epochs of SDPO as actors and learner compute them, in one process: sampling, decoding of clean
// states to 8-bit pictures, scoring by mean brightness, which takes no time, and training.

import Actor
import ArgumentParser
import Configuration
import Engine
import Foundation
import Learner
import Messages
import Models
import Programs
import RewardClient
import Training

struct BenchSDPO: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sdpo", abstract: "Measure epochs of SDPO: pairs sampled and pair-steps trained per second.")

  @Option(help: "Model folder in diffusers' format; it needs no tokenizer.") var model: String
  @Option(help: "Pairs per epoch.") var pairs = 16
  @Option(help: "Pairs per sampled batch.") var batch = 8
  @Option(help: "Pairs per minibatch; each minibatch is an optimizer step.") var trainBatch = 4
  @Option(help: "Denoising steps.") var steps = 4
  @Option(help: "Measured epochs, after one that is not measured.") var epochs = 2
  @Option(help: "Tokens per prompt.") var tokens = 12
  @Option(help: "Rank of the adapters.") var rank = 4
  @Option(help: "AutoencoderTiny folder in diffusers' format to decode with.") var tinyDecoder: String?
  @Option(help: "Use random weights with this seed; the model folder needs its config.json files only.")
  var randomWeights: UInt64?
  @OptionGroup var options: BenchOptions

  struct Report: Encodable {
    let peer, folder: String
    let pairs, batch, trainBatch, steps, epochs, threads, tokens, rank: Int
    let pairsSampledPerSecond, pairStepsTrainedPerSecond, secondsPerEpoch: Double
    let secondsSampling, secondsTraining: [Double]
    /// CPU seconds in all threads, mean of the epochs.
    let cpuSecondsSampling, cpuSecondsTraining: Double
    let peakMemoryGb: Double
  }

  func validate() throws {
    try requirePositive([
      "pairs": pairs, "batch": batch, "train-batch": trainBatch, "steps": steps, "epochs": epochs, "rank": rank,
    ])
    guard tokens >= 2 else { throw ValidationError("--tokens: expected at least 2, found \(tokens)") }
    guard pairs % batch == 0, batch % trainBatch == 0 else {
      throw ValidationError(
        "--pairs: expected a multiple of --batch \(batch), which is a multiple of --train-batch \(trainBatch), "
          + "found \(pairs)")
    }
  }

  func run() throws {
    try options.start()
    let settings = configured()
    try TextToImageModel.requireMemory(
      folder: URL(filePath: model), samples: 2 * batch, trained: 2 * trainBatch,
      advice: "Use a smaller --batch or --train-batch.")
    let model = try TextToImageModel(
      folder: URL(filePath: model), weights: randomWeights.map { .random(seed: $0) } ?? .files, tokenizer: tokenizer())
    // Both share one model, so the adapter that is trained is the policy that is sampled.
    let trainer = try Trainer(settings, model: model), sampler = try GroupSampler(settings, model: model)
    var sampling: [Double] = [], training: [Double] = [], processor = (sampling: 0.0, training: 0.0)
    for epoch in 0...epochs {
      var groups: [TrajectoryGroup] = []
      let began = BenchMeasurement.processorTime
      let sampled = try BenchMeasurement.seconds { groups = try sample(sampler, epoch: epoch) }
      let between = BenchMeasurement.processorTime
      let trained = try BenchMeasurement.seconds { try trainer.train(groups) }
      // The first epoch is a warm-up.
      guard epoch > 0 else { continue }
      sampling.append(sampled)
      training.append(trained)
      processor.sampling += between - began
      processor.training += BenchMeasurement.processorTime - between
    }
    try show(sampling, training, processor)
  }

  private func sample(_ sampler: GroupSampler, epoch: Int) throws -> [TrajectoryGroup] {
    let run = RunIdentity(id: "bench", seed: options.seed, actor: "bench", incarnation: 0)
    return try stride(from: 0, to: pairs, by: batch).flatMap { first in
      let assignments = (first..<first + batch).map { place in
        Assignment(
          number: epoch * pairs + place, epoch: epoch, prompt: Self.prompts[place % Self.prompts.count], groupSize: 2,
          policyVersion: epoch)
      }
      return try sampler.sample(assignments, run: run).map { draft in
        let result = ScoreResult(reward: "brightness", version: "1", values: brightness(draft.images))
        return draft.scored(by: ScoreReply(id: 0, results: [result]), sum: RewardSum(["brightness": 1]))
      }
    }
  }

  /// Mean of all channels of each picture, 0 to 1.
  private func brightness(_ images: ImageBatch) -> [Float?] {
    let size = images.pixels.count / images.count
    return (0..<images.count).map { picture in
      let sum = images.pixels[picture * size..<(picture + 1) * size].reduce(0) { $0 + Int($1) }
      return Float(sum) / Float(size) / 255
    }
  }

  private func configured() -> Configuration {
    var settings = Configuration()
    settings.run.model = model
    settings.run.seed = options.seed
    settings.sampling.steps = steps
    settings.sampling.groupsPerEpoch = pairs
    settings.sampling.batchSize = batch
    settings.sampling.rewardDecoder = tinyDecoder ?? ""
    settings.training.minibatchSize = trainBatch
    settings.training.loraRank = rank
    settings.training.loraAlpha = Float(rank)
    return settings
  }

  private static let prompts = ["a", "b", "c", "d", "e", "f", "g", "h"]

  /// A tokenizer of single letters, so that the model folder needs none.
  private func tokenizer() throws -> Tokenizer {
    let words = ["<|startoftext|>", "<|endoftext|>"] + Self.prompts.flatMap { [$0, $0 + "</w>"] }
    return try Tokenizer(
      files: TokenizerFiles(vocabulary: Dictionary(uniqueKeysWithValues: zip(words, words.indices))),
      name: "the tokenizer of the benchmark", maximumLength: tokens)
  }

  private func show(
    _ sampling: [Double], _ training: [Double], _ processor: (sampling: Double, training: Double)
  ) throws {
    let (sampled, trained) = (sampling.reduce(0, +), training.reduce(0, +))
    let report = Report(
      peer: BenchMeasurement.name, folder: model, pairs: pairs, batch: batch, trainBatch: trainBatch, steps: steps,
      epochs: epochs, threads: Compute.threads, tokens: tokens, rank: rank,
      pairsSampledPerSecond: (Double(pairs * epochs) / sampled).rounded(toPlaces: 3),
      pairStepsTrainedPerSecond: (Double(pairs * steps * epochs) / trained).rounded(toPlaces: 3),
      secondsPerEpoch: ((sampled + trained) / Double(epochs)).rounded(toPlaces: 3),
      secondsSampling: sampling.map { $0.rounded(toPlaces: 4) },
      secondsTraining: training.map { $0.rounded(toPlaces: 4) },
      cpuSecondsSampling: (processor.sampling / Double(epochs)).rounded(toPlaces: 4),
      cpuSecondsTraining: (processor.training / Double(epochs)).rounded(toPlaces: 4),
      peakMemoryGb: BenchMeasurement.peakMemory)
    try options.show(
      report,
      text: String(
        format: "sdpo: %.2f pairs sampled/s, %.2f pair-steps trained/s, %.3f s per epoch of %d pairs, "
          + "peak memory %.2f GB",
        report.pairsSampledPerSecond, report.pairStepsTrainedPerSecond, report.secondsPerEpoch, pairs,
        report.peakMemoryGb))
  }
}
