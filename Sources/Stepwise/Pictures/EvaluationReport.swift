// The result of an evaluation: means with standard errors, per prompt and over all prompts, and diversity.

import Engine
import Foundation
import Telemetry

struct ScoreSummary: Codable, Equatable {
  let mean: Double
  /// Sample standard deviation divided by √count; nil for one score.
  let standardError: Double?
  let count: Int
  let missing: Int

  /// Nil when no score exists.
  init?(_ scores: [Double?]) {
    let known = scores.compactMap { $0 }
    guard !known.isEmpty else { return nil }
    let moments = Moments(known)
    mean = moments.mean
    standardError = known.count > 1 ? moments.standardError : nil
    count = known.count
    missing = scores.count - known.count
  }

  /// As "0.2512 ± 0.0031".
  var text: String {
    String(format: "%.4f", mean) + (standardError.map { String(format: " ± %.4f", $0) } ?? "")
  }
}

struct EvaluationReport: Codable {
  struct Reward: Codable {
    let all: ScoreSummary?
    let prompts: [String: ScoreSummary]
  }

  let model: String
  let lora: String?
  let sampling: SamplingSettings
  let firstSeed: UInt64
  let seeds: Int
  let prompts: Int
  let rewards: [String: Reward]
  /// Scores of the same latents decoded by the tiny decoder; nil without one.
  let tinyRewards: [String: Reward]?
  /// Mean over prompts of the mean pairwise distance, 1 - cosine of CLIP embeddings, of the pictures of a prompt: 0 to
  /// 2; nil with one seed or without a CLIP model.
  let diversity: Double?
  /// Mean divergence from the model without the adapter per latent element, for each step (`PolicyDivergence`); nil
  /// where it was not measured.
  let divergence: [Double]?

  func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self) + Data("\n".utf8)
  }

  func table(prompts order: [String]) -> String {
    let columns = rewards.keys.sorted().flatMap { name in
      [(name, rewards[name])] + (tinyRewards.map { [("\(name), tiny decoder", $0[name])] } ?? [])
    }
    var rows = [["prompt"] + columns.map(\.0)]
    for prompt in order { rows.append([prompt] + columns.map { $0.1?.prompts[prompt]?.text ?? "missing" }) }
    rows.append(["all"] + columns.map { $0.1?.all?.text ?? "missing" })
    var text = TextTable.text(rows)
    if let diversity {
      text += "diversity (mean pairwise distance of CLIP embeddings): \(String(format: "%.4f", diversity))\n"
    }
    if let divergence {
      let sum = divergence.reduce(0, +), steps = divergence.map { String(format: "%.5f", $0) }.joined(separator: " + ")
      text += "divergence from the model without the adapter, per latent element: "
        + "\(String(format: "%.5f", sum)) = \(steps)\n"
    }
    return text
  }
}
