// Samples and scores pictures of a policy. The same prompts, seeds and scorers give the same numbers.

import Diffusion
import Engine
import Foundation
import Imaging
import Models
import Rewards

struct Evaluation {
  let prompts: [String]
  let firstSeed: UInt64
  let seeds: Int
  let scorers: [any Scorer]
  /// Measures diversity; nil leaves it out.
  let clip: Alignment?
  var measuresDivergence = false

  /// Pictures and scores of one policy, in the order of prompts, then seeds.
  struct Result {
    let report: EvaluationReport
    let pictures: [Image]
    /// One score per picture, by reward.
    let scores: [String: [Double?]]
  }

  /// Samples and scores `prompts.count * seeds` pictures, decoded by the autoencoder of the model. Where the model has
  /// a second decoder, its pictures are scored too.
  ///
  /// - Parameter done: receives the number of pictures that are ready.
  func measure(_ generator: PictureGenerator, lora: String?, done: (Int) -> Void) throws -> Result {
    let texts = prompts.flatMap { [String](repeating: $0, count: seeds) }
    let noise = prompts.indices.flatMap { prompt in
      (0..<seeds).map { PictureNoise(seed: firstSeed + UInt64($0), number: prompt) }
    }
    let model = generator.model, hasTiny = model.decoder !== model.vae
    let divergence = measuresDivergence ? try generator.divergence() : nil
    let pictures = try generator.pictures(
      texts, noise: noise, by: [model.vae] + (hasTiny ? [model.decoder] : []), divergence: divergence, done: done)
    let scores = try scores(pictures[0], texts)
    let report = EvaluationReport(
      model: model.folder.path, lora: lora, sampling: generator.settings, firstSeed: firstSeed,
      seeds: seeds, prompts: prompts.count, rewards: scores.mapValues(summary),
      tinyRewards: hasTiny ? try self.scores(pictures[1], texts).mapValues(summary) : nil,
      diversity: try diversity(pictures[0]), divergence: divergence?.means)
    return Result(report: report, pictures: pictures[0], scores: scores)
  }

  private func scores(_ pictures: [Image], _ texts: [String]) throws -> [String: [Double?]] {
    var scores: [String: [Double?]] = [:]
    for scorer in scorers { scores[scorer.name] = try score(pictures, texts, scorer) }
    return scores
  }

  private func summary(_ values: [Double?]) -> EvaluationReport.Reward {
    EvaluationReport.Reward(
      all: ScoreSummary(values),
      prompts: Dictionary(
        zip(prompts, prompts.indices.map { ScoreSummary(Array(values[$0 * seeds..<($0 + 1) * seeds])) })
          .compactMap { prompt, summary in summary.map { (prompt, $0) } }, uniquingKeysWith: { first, _ in first }))
  }

  private static let batchSize = 32

  private func score(_ pictures: [Image], _ texts: [String], _ scorer: any Scorer) throws -> [Double?] {
    try stride(from: 0, to: pictures.count, by: Self.batchSize).flatMap { first in
      let part = first..<min(first + Self.batchSize, pictures.count)
      return try scorer.scores(
        images: pictures[part].flatMap(\.pixels), height: pictures[0].height, width: pictures[0].width,
        prompts: Array(texts[part])
      ).map { $0.map(Double.init) }
    }
  }

  /// Mean pairwise distance within each prompt, averaged over prompts.
  private func diversity(_ pictures: [Image]) throws -> Double? {
    guard let clip, seeds > 1 else { return nil }
    var total = 0.0
    for prompt in prompts.indices {
      let part = pictures[prompt * seeds..<(prompt + 1) * seeds]
      let embeddings = try clip.imageEmbeddings(
        images: part.flatMap(\.pixels), height: pictures[0].height, width: pictures[0].width, count: seeds)
      // The sum of all cosines, minus those of each picture with itself.
      let cosines = Double(embeddings.matmul(embeddings.permuted([1, 0])).sum().item)
      total += 1 - (cosines - Double(seeds)) / Double(seeds * (seeds - 1))
    }
    return total / Double(prompts.count)
  }
}
