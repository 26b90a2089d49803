// Runs scorers on a request. A scorer that throws, or gives no finite number, leaves scores missing, never 0.

internal import Foundation
internal import Messages
internal import Rewards

/// A scorer and how to call it; belongs to the thread that made it.
struct ScoringLoop {
  private let scorers: [any Scorer]
  private let batchSize: Int

  init(_ scorers: [any Scorer], batchSize: Int) {
    self.scorers = scorers
    self.batchSize = batchSize
  }

  var rewards: [RewardVersion] { scorers.map { RewardVersion(name: $0.name, version: $0.version) } }

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
    var values: [Float?] = []
    let bytes = request.images.height * request.images.width * 3
    for first in stride(from: 0, to: count, by: batchSize) {
      let range = first..<min(first + batchSize, count)
      do {
        let found = try scorer.scores(
          images: Array(request.images.pixels[range.lowerBound * bytes..<range.upperBound * bytes]),
          height: request.images.height, width: request.images.width, prompts: Array(request.prompts[range]))
        guard found.count == range.count else {
          return missing(scorer.version, "\(reward) gave \(found.count) scores for \(range.count) images")
        }
        values += found.map { $0.flatMap { $0.isFinite ? $0 : nil } }
      } catch {
        return missing(scorer.version, "\(error)")
      }
    }
    return ScoreResult(reward: reward, version: scorer.version, values: values)
  }
}
