// Joins several score requests to one, and splits its results.

internal import Engine
internal import Messages

extension ScoreRequest {
  /// Joins requests with images of one size and the same rewards, in their order. Nil for a single request, and if some
  /// have bytes and others pixels.
  init?(joining requests: [ScoreRequest]) {
    guard requests.count > 1, let first = requests.first else { return nil }
    let images: ScoredImages
    switch first.images {
    case .bytes(let batch):
      let batches = requests.compactMap { if case .bytes(let batch) = $0.images { batch } else { nil } }
      guard batches.count == requests.count else { return nil }
      images = .bytes(
        ImageBatch(
          count: batches.reduce(0) { $0 + $1.count }, height: batch.height, width: batch.width,
          pixels: batches.flatMap(\.pixels)))
    case .pixels:
      let parts = requests.compactMap { if case .pixels(let pixels) = $0.images { pixels } else { nil } }
      guard parts.count == requests.count else { return nil }
      images = .pixels(Tensor.concatenated(parts, axis: 0))
    }
    self.init(
      id: 0, rewards: first.rewards, prompts: requests.flatMap(\.prompts), images: images, deadline: first.deadline)
  }
}

extension ScoreResult {
  func part(_ range: Range<Int>) -> ScoreResult {
    ScoreResult(
      reward: reward, version: version, values: Array(values[range]), error: error,
      gradient: gradient?.slice(axis: 0, range))
  }
}
