// Runs scorers on requests. A scorer that throws, gives no finite number, or has no gradient where one is wanted,
// leaves scores missing, never 0. A picture that is there twice is scored once.

internal import Engine
internal import Foundation
internal import Messages
internal import Rewards

/// Scorers and how to call them; belongs to the thread that made them.
struct ScorerSet {
  private let scorers: [any Scorer]
  /// Images to a call of a scorer.
  let batchSize: Int

  init(_ scorers: [any Scorer], batchSize: Int) {
    self.scorers = scorers
    self.batchSize = batchSize
  }

  var rewards: [RewardVersion] {
    scorers.map { RewardVersion(name: $0.name, version: $0.version, hasGradient: $0.hasGradient) }
  }

  /// Scores requests; those that are alike, of one size and for the same rewards, as if they were one.
  ///
  /// - Returns: a reply a request, in their order.
  func answer(_ requests: [ScoreRequest]) -> [ScoreReply] {
    var replies: [Int: ScoreReply] = [:]
    let kinds = requests.indices.map { Kind(requests[$0], place: $0, isAlone(requests[$0])) }
    for members in Dictionary(grouping: requests.indices, by: { kinds[$0] }).values {
      let parts = members.sorted().map { requests[$0] }
      for (member, reply) in zip(members.sorted(), answer(alike: parts)) { replies[member] = reply }
    }
    return requests.indices.map { replies[$0] ?? requests[$0].missing("was not scored") }
  }

  /// What requests must have in common to be scored together.
  private struct Kind: Hashable {
    let rewards: [String]
    let extents: [Int]
    let wantsGradient: Bool
    /// Of a request that must be scored alone.
    let place: Int?

    init(_ request: ScoreRequest, place: Int, _ isAlone: Bool) {
      rewards = request.rewards
      extents = [request.images.height, request.images.width]
      wantsGradient = request.wantsGradient
      self.place = isAlone ? place : nil
    }
  }

  /// Groups are compared within themselves.
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
    // One picture that breaks a scorer must not take others' scores with it.
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
      return missing(scorer.version, "expected a prompt an image, found \(request.prompts.count) for \(count)")
    }
    do {
      switch request.images {
      case .bytes(let images):
        return ScoreResult(
          reward: reward, version: scorer.version, values: try scores(scorer, images, request))
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

  private func scores(_ scorer: any Scorer, _ images: ImageBatch, _ request: ScoreRequest) throws -> [Float?] {
    let prompts = request.prompts
    if let scorer = scorer as? any GroupScorer, !request.places.isEmpty {
      let found = try scorer.scores(
        images: images.pixels, height: images.height, width: images.width, prompts: prompts,
        places: request.places.map { PicturePlace(trajectory: $0.trajectory, step: $0.step) })
      try requireOneAnImage(scorer, found.count, 0..<images.count)
      return found.map { $0.flatMap { $0.isFinite ? $0 : nil } }
    }
    let distinct = DistinctPictures(images, prompts: prompts), bytes = images.height * images.width * 3
    let found = try batches(distinct.kept.count).flatMap { range in
      let kept = distinct.kept[range]
      let found = try scorer.scores(
        images: kept.flatMap { images.pixels[$0 * bytes..<($0 + 1) * bytes] }, height: images.height,
        width: images.width, prompts: kept.map { prompts[$0] })
      try requireOneAnImage(scorer, found.count, range)
      return found
    }
    return distinct.places.map { place in found[place].flatMap { $0.isFinite ? $0 : nil } }
  }

  /// Scores and gradients. What is not finite among them is made missing where messages are read and written.
  private func gradient(
    _ scorer: any DifferentiableScorer, _ pixels: Tensor, _ prompts: [String]
  ) throws -> ScoreResult {
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
