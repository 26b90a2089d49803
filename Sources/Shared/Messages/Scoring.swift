// How images are scored: an actor asks with a deadline, a server answers per reward; a score that failed is missing,
// which is not zero.

package import Engine

/// RGB images in 8 bits, row-major `[count, height, width, 3]`.
package struct ImageBatch: Sendable, Equatable {
  /// Number of images.
  package let count: Int
  /// Rows of each.
  package let height: Int
  /// Pixels a row.
  package let width: Int
  /// `count * height * width * 3` bytes.
  package let pixels: [UInt8]

  /// Stops the program when the number of bytes is not that of the shape.
  package init(count: Int, height: Int, width: Int, pixels: [UInt8]) {
    check(
      pixels.count == count * height * width * 3,
      "ImageBatch: \(pixels.count) bytes do not fill shape [\(count), \(height), \(width), 3]")
    self.count = count
    self.height = height
    self.width = width
    self.pixels = pixels
  }
}

/// What a request shows to rewards: pictures as people see them, or, where gradients are wanted, before rounding.
package enum ScoredImages: Sendable, Equatable {
  /// 8 bits a channel; scores alone are wanted.
  case bytes(ImageBatch)
  /// float32 RGB in 0...1, `[count, height, width, 3]`; scores and their gradients with respect to these are wanted.
  case pixels(Tensor)

  /// Number of images.
  package var count: Int { shape[0] }
  /// Rows of each.
  package var height: Int { shape[1] }
  /// Pixels a row.
  package var width: Int { shape[2] }
  /// `[count, height, width, 3]`
  package var shape: [Int] {
    switch self {
    case .bytes(let images): [images.count, images.height, images.width, 3]
    case .pixels(let pixels): pixels.shape
    }
  }

  /// Equal in kind, shape and every element.
  package static func == (a: ScoredImages, b: ScoredImages) -> Bool {
    switch (a, b) {
    case (.bytes(let a), .bytes(let b)): a == b
    case (.pixels(let a), .pixels(let b)): a.shape == b.shape && a.values == b.values
    default: false
    }
  }
}

/// Which clean state of its group an image shows, for rewards that compare the images of a group.
package struct GroupPlace: Sendable, Equatable, Hashable {
  /// The trajectory's place in the group, from 0.
  package var trajectory: Int
  /// The step whose clean state it is.
  package var step: Int

  /// The clean state of `step` of `trajectory`.
  package init(trajectory: Int, step: Int) {
    self.trajectory = trajectory
    self.step = step
  }
}

/// Asks for the scores of a batch of images by one or more rewards.
package struct ScoreRequest: Sendable, Equatable {
  /// Most images in a request, and so most values of a result.
  package static let mostImages = 1 << 16
  /// Most rewards in a request.
  package static let mostRewards = 256

  /// Chosen by the client, unique among its requests.
  package var id: UInt64
  /// Names of rewards.
  package var rewards: [String]
  /// One an image.
  package var prompts: [String]
  /// What is to be scored. Float pixels ask for gradients too.
  package var images: ScoredImages
  /// Milliseconds from arrival after which nobody waits for the reply.
  package var deadline: Int
  /// Free text for rewards that want more than prompts.
  package var metadata: [String: String]
  /// What each image shows, where all images are those of one group; empty otherwise.
  package var places: [GroupPlace]

  /// A request with all it says.
  ///
  /// Stops the program when float pixels are not `[count, height, width, 3]`, or places are not one an image.
  package init(
    id: UInt64, rewards: [String], prompts: [String], images: ScoredImages, deadline: Int,
    metadata: [String: String] = [:], places: [GroupPlace] = []
  ) {
    check(
      images.shape.count == 4 && images.shape[3] == 3,
      "ScoreRequest: images of shape \(images.shape) are not [count, height, width, 3]")
    check(
      places.isEmpty || places.count == images.count,
      "ScoreRequest: \(places.count) places for \(images.count) images")
    self.id = id
    self.rewards = rewards
    self.prompts = prompts
    self.images = images
    self.deadline = deadline
    self.metadata = metadata
    self.places = places
  }

  /// Gradients of the scores with respect to the pixels are wanted beside the scores.
  package var wantsGradient: Bool { if case .pixels = images { true } else { false } }

  /// The answer that has no score at all.
  ///
  /// - Parameter reason: why, for every reward asked for.
  package func missing(_ reason: String) -> ScoreReply {
    let values = [Float?](repeating: nil, count: images.count)
    var seen: Set<String> = []
    return ScoreReply(
      id: id,
      results: rewards.filter { seen.insert($0).inserted }
        .map { ScoreResult(reward: $0, version: "", values: values, error: reason) })
  }
}

/// The scores of all images by one reward.
package struct ScoreResult: Sendable, Equatable {
  /// Name of the reward.
  package var reward: String
  /// Version of the scorer; empty when none ran.
  package var version: String
  /// One an image; nil: missing.
  package var values: [Float?]
  /// Why values are missing; empty when none is.
  package var error: String
  /// Where it was wanted: d values[b] / d images[b], `[B, height, width, 3]`, 0 for images whose value is missing.
  package var gradient: Tensor?

  /// The scores of one reward, `error` saying why any is missing.
  package init(reward: String, version: String, values: [Float?], error: String = "", gradient: Tensor? = nil) {
    self.reward = reward
    self.version = version
    self.values = values
    self.error = error
    self.gradient = gradient
  }

  /// Every value is missing.
  package var isEmpty: Bool { values.allSatisfy { $0 == nil } }

  /// Why this cannot be the answer to a request; nil when it can.
  package func misfit(to request: ScoreRequest) -> String? {
    let count = request.images.count
    if values.count != count { return "\(reward): \(values.count) scores for \(count) images" }
    guard request.wantsGradient, !isEmpty, gradient?.shape != request.images.shape else { return nil }
    let found = gradient.map { "one of shape \($0.shape)" } ?? "none"
    return "\(reward): expected a gradient of shape \(request.images.shape), found \(found)"
  }

  /// Equal in all they say, gradients element by element.
  package static func == (a: ScoreResult, b: ScoreResult) -> Bool {
    a.reward == b.reward && a.version == b.version && a.values == b.values && a.error == b.error
      && a.gradient?.shape == b.gradient?.shape && a.gradient?.values == b.gradient?.values
  }
}

/// The answer to a `ScoreRequest`.
package struct ScoreReply: Sendable, Equatable {
  /// The request's.
  package var id: UInt64
  /// One a reward that was asked for.
  package var results: [ScoreResult]

  /// The answer to request `id`.
  package init(id: UInt64, results: [ScoreResult]) {
    self.id = id
    self.results = results
  }
}
