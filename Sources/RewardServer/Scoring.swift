// Runs scorers on a request. A scorer that throws, gives no finite number, or has no gradient where one is wanted, leaves
// scores missing, never 0.

internal import Engine
internal import Foundation
internal import Messages
internal import Rewards

/// Scorers and how to call them; belongs to the thread that made them.
struct ScoringLoop {
  private let scorers: [any Scorer]
  private let batchSize: Int

  init(_ scorers: [any Scorer], batchSize: Int) {
    self.scorers = scorers
    self.batchSize = batchSize
  }

  var rewards: [RewardVersion] {
    scorers.map { RewardVersion(name: $0.name, version: $0.version, hasGradient: $0.hasGradient) }
  }

  /// Scores all images of a request, a few at a time.
  func answer(_ request: ScoreRequest) -> ScoreReply {
    ScoreReply(id: request.id, results: request.rewards.map { result(of: $0, request) })
  }

  private func result(of reward: String, _ request: ScoreRequest) -> ScoreResult {
    let count = request.images.count
    func missing(_ version: String, _ reason: String) -> ScoreResult {
      ScoreResult(reward: reward, version: version, values: [Float?](repeating: nil, count: count), error: reason)
    }
    guard let scorer = scorers.first(where: { $0.name == reward }) else {
      return missing("", "expected one of \(scorers.map(\.name).joined(separator: ", ")), found \(reward)")
    }
    guard request.prompts.count == count else {
      return missing(scorer.version, "expected a prompt an image, found \(request.prompts.count) for \(count)")
    }
    do {
      switch request.images {
      case .bytes(let images):
        return ScoreResult(
          reward: reward, version: scorer.version, values: try scores(scorer, images, request.prompts))
      case .pixels(let pixels):
        guard let scorer = scorer as? any DifferentiableScorer else {
          return missing(scorer.version, "expected a reward with a gradient, found that \(reward) has none")
        }
        return try gradient(scorer, pixels, request.prompts)
      }
    } catch {
      return missing(scorer.version, "\(error)")
    }
  }

  private func batches(_ count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: batchSize).map { $0..<min($0 + batchSize, count) }
  }

  private func scores(_ scorer: any Scorer, _ images: ImageBatch, _ prompts: [String]) throws -> [Float?] {
    let bytes = images.height * images.width * 3
    return try batches(images.count).flatMap { range in
      let found = try scorer.scores(
        images: Array(images.pixels[range.lowerBound * bytes..<range.upperBound * bytes]), height: images.height,
        width: images.width, prompts: Array(prompts[range]))
      try requireOneAnImage(scorer, found.count, range)
      return found.map { $0.flatMap { $0.isFinite ? $0 : nil } }
    }
  }

  /// Scores and gradients. What is not finite among them is made missing where messages are read and written.
  private func gradient(_ scorer: any DifferentiableScorer, _ pixels: Tensor, _ prompts: [String]) throws -> ScoreResult {
    let parts = try batches(pixels.shape[0]).map { range in
      let part = try scorer.scoresAndGradient(
        pixels: pixels.slice(axis: 0, range), prompts: Array(prompts[range]))
      try requireOneAnImage(scorer, part.scores.count, range)
      return part
    }
    return ScoreResult(
      reward: scorer.name, version: scorer.version, values: parts.flatMap(\.scores),
      gradient: Tensor.concatenated(parts.map(\.gradient), axis: 0))
  }

  private func requireOneAnImage(_ scorer: any Scorer, _ found: Int, _ range: Range<Int>) throws {
    guard found == range.count else {
      throw ScorerError("\(scorer.name) gave \(found) scores for \(range.count) images")
    }
  }
}
