// Scores requests with a set of scorers. A score is missing if the scorer throws, returns no finite number, or does not
// have the requested gradient. Repeated pictures are scored once.

internal import Basics
internal import Engine
internal import Foundation
internal import Messages
internal import Rewards

struct ScorerSet {
  private let scorers: [any Scorer]
  let batchSize: Int

  init(_ scorers: [any Scorer], batchSize: Int) {
    self.scorers = scorers
    self.batchSize = batchSize
  }

  var rewards: [RewardVersion] {
    scorers.map { RewardVersion(name: $0.name, version: $0.version, hasGradient: $0.hasGradient) }
  }

  /// Scores requests. Requests with images of one size and the same rewards are scored as one.
  ///
  /// - Returns: One reply per request, in their order.
  func answer(_ requests: [ScoreRequest]) -> [ScoreReply] {
    var replies: [Int: ScoreReply] = [:]
    let kinds = requests.indices.map { Kind(requests[$0], index: isAlone(requests[$0]) ? $0 : nil) }
    for members in Dictionary(grouping: requests.indices, by: { kinds[$0] }).values {
      let parts = members.sorted().map { requests[$0] }
      for (member, reply) in zip(members.sorted(), answer(alike: parts)) { replies[member] = reply }
    }
    return requests.indices.map { replies[$0] ?? requests[$0].missing("was not scored") }
  }

  /// The properties that requests must share to be scored together.
  private struct Kind: Hashable {
    let rewards: [String]
    let extents: [Int]
    let wantsGradient: Bool
    /// The index of a request that must be scored alone.
    let index: Int?

    init(_ request: ScoreRequest, index: Int?) {
      rewards = request.rewards
      extents = [request.images.height, request.images.width]
      wantsGradient = request.wantsGradient
      self.index = index
    }
  }

  /// Whether a request must be scored alone, because its pictures are compared with each other.
  private func isAlone(_ request: ScoreRequest) -> Bool {
    request.prompts.count != request.images.count
      || scorers.contains { $0 is any GroupScorer && request.rewards.contains($0.name) }
  }

  private func answer(alike requests: [ScoreRequest]) -> [ScoreReply] {
    func alone(_ request: ScoreRequest) -> ScoreReply {
      ScoreReply(id: request.id, results: request.rewards.map { result(of: $0, request) })
    }
    guard let whole = ScoreRequest(joining: requests) else { return requests.map(alone) }
    let results = whole.rewards.map { result(of: $0, whole) }
    // A picture on which a scorer fails must not affect the scores of other requests.
    guard results.allSatisfy({ $0.error.isEmpty }) else { return requests.map(alone) }
    var start = 0
    return requests.map { request in
      let range = start..<start + request.images.count
      start = range.upperBound
      return ScoreReply(id: request.id, results: results.map { $0.part(range) })
    }
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
      return missing(scorer.version, "expected one prompt per image, found \(request.prompts.count) for \(count)")
    }
    do {
      switch request.images {
      case .bytes(let images):
        return ScoreResult(
          reward: reward, version: scorer.version, values: try scores(scorer, images, request))
      case .pixels(let pixels):
        guard let scorer = scorer as? any DifferentiableScorer else {
          return missing(scorer.version, "the reward \(reward) has no gradient")
        }
        return try gradient(scorer, pixels, request.prompts)
      }
    } catch {
      return missing(scorer.version, "\(error)")
    }
  }

  private func scores(_ scorer: any Scorer, _ images: ImageBatch, _ request: ScoreRequest) throws -> [Float?] {
    let prompts = request.prompts
    if let scorer = scorer as? any GroupScorer, !request.positions.isEmpty {
      let found = try scorer.scores(
        images: images.pixels, height: images.height, width: images.width, prompts: prompts,
        positions: request.positions.map { PicturePosition(trajectory: $0.trajectory, step: $0.step) })
      try requireOnePerImage(scorer, found.count, 0..<images.count)
      return found.map { $0.flatMap { $0.isFinite ? $0 : nil } }
    }
    let distinct = DistinctPictures(images, prompts: prompts), bytes = images.height * images.width * 3
    let found = try (0..<distinct.kept.count).chunks(of: batchSize).flatMap { range in
      let kept = distinct.kept[range]
      let found = try scorer.scores(
        images: kept.flatMap { images.pixels[$0 * bytes..<($0 + 1) * bytes] }, height: images.height,
        width: images.width, prompts: kept.map { prompts[$0] })
      try requireOnePerImage(scorer, found.count, range)
      return found
    }
    return distinct.indices.map { index in found[index].flatMap { $0.isFinite ? $0 : nil } }
  }

  /// Scores and gradients. Values that are not finite become missing when the message is decoded (see
  /// ScoreCoding.swift).
  private func gradient(
    _ scorer: any DifferentiableScorer, _ pixels: Tensor, _ prompts: [String]
  ) throws -> ScoreResult {
    let parts = try (0..<pixels.shape[0]).chunks(of: batchSize).map { range in
      let part = try scorer.scoresAndGradient(
        pixels: pixels.slice(axis: 0, range), prompts: Array(prompts[range]))
      try requireOnePerImage(scorer, part.scores.count, range)
      return part
    }
    return ScoreResult(
      reward: scorer.name, version: scorer.version, values: parts.flatMap(\.scores),
      gradient: Tensor.concatenated(parts.map(\.gradient), axis: 0))
  }

  private func requireOnePerImage(_ scorer: any Scorer, _ found: Int, _ range: Range<Int>) throws {
    guard found == range.count else {
      throw ScorerError("\(scorer.name) returned \(found) scores for \(range.count) images")
    }
  }
}
