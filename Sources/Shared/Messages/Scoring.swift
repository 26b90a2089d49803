// How images are scored: an actor asks with a deadline, a server answers per reward; a score that failed is missing,
// which is not zero.

public import Engine

/// RGB images in 8 bits, row-major `[count, height, width, 3]`.
public struct ImageBatch: Sendable, Equatable {
  /// Number of images.
  public let count: Int
  /// Rows of each.
  public let height: Int
  /// Pixels a row.
  public let width: Int
  /// `count * height * width * 3` bytes.
  public let pixels: [UInt8]

  /// Stops the program when the number of bytes is not that of the shape.
  public init(count: Int, height: Int, width: Int, pixels: [UInt8]) {
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
public enum ScoredImages: Sendable, Equatable {
  /// 8 bits a channel; scores alone are wanted.
  case bytes(ImageBatch)
  /// float32 RGB in 0...1, `[count, height, width, 3]`; scores and their gradients with respect to these are wanted.
  case pixels(Tensor)

  /// Number of images.
  public var count: Int { shape[0] }
  /// Rows of each.
  public var height: Int { shape[1] }
  /// Pixels a row.
  public var width: Int { shape[2] }
  /// `[count, height, width, 3]`
  public var shape: [Int] {
    switch self {
    case .bytes(let images): [images.count, images.height, images.width, 3]
    case .pixels(let pixels): pixels.shape
    }
  }

  /// Equal in kind, shape and every element.
  public static func == (a: ScoredImages, b: ScoredImages) -> Bool {
    switch (a, b) {
    case (.bytes(let a), .bytes(let b)): a == b
    case (.pixels(let a), .pixels(let b)): a.shape == b.shape && a.values == b.values
    default: false
    }
  }
}

/// Which clean state of its group an image shows, for rewards that compare the images of a group.
public struct GroupPlace: Sendable, Equatable, Hashable {
  /// The trajectory's place in the group, from 0.
  public var trajectory: Int
  /// The step whose clean state it is.
  public var step: Int

  /// The clean state of `step` of `trajectory`.
  public init(trajectory: Int, step: Int) {
    self.trajectory = trajectory
    self.step = step
  }
}

/// Asks for the scores of a batch of images by one or more rewards.
public struct ScoreRequest: Sendable, Equatable {
  /// Most images in a request, and so most values of a result.
  public static let mostImages = 1 << 16
  /// Most rewards in a request.
  public static let mostRewards = 256

  /// Chosen by the client, unique among its requests.
  public var id: UInt64
  /// Names of rewards.
  public var rewards: [String]
  /// One an image.
  public var prompts: [String]
  /// What is to be scored. Float pixels ask for gradients too.
  public var images: ScoredImages
  /// Milliseconds from arrival after which nobody waits for the reply.
  public var deadline: Int
  /// Free text for rewards that want more than prompts.
  public var metadata: [String: String]
  /// What each image shows, where all images are those of one group; empty otherwise.
  public var places: [GroupPlace]

  /// A request with all it says.
  ///
  /// Stops the program when float pixels are not `[count, height, width, 3]`, or places are not one an image.
  public init(
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
  public var wantsGradient: Bool { if case .pixels = images { true } else { false } }

  /// The answer that has no score at all.
  ///
  /// - Parameter reason: why, for every reward asked for.
  public func missing(_ reason: String) -> ScoreReply {
    let values = [Float?](repeating: nil, count: images.count)
    var seen: Set<String> = []
    return ScoreReply(
      id: id,
      results: rewards.filter { seen.insert($0).inserted }
        .map { ScoreResult(reward: $0, version: "", values: values, error: reason) })
  }
}

/// The scores of all images by one reward.
public struct ScoreResult: Sendable, Equatable {
  /// Name of the reward.
  public var reward: String
  /// Version of the scorer; empty when none ran.
  public var version: String
  /// One an image; nil: missing.
  public var values: [Float?]
  /// Why values are missing; empty when none is.
  public var error: String
  /// Where it was wanted: d values[b] / d images[b], `[B, height, width, 3]`, 0 for images whose value is missing.
  public var gradient: Tensor?

  /// The scores of one reward, `error` saying why any is missing.
  public init(reward: String, version: String, values: [Float?], error: String = "", gradient: Tensor? = nil) {
    self.reward = reward
    self.version = version
    self.values = values
    self.error = error
    self.gradient = gradient
  }

  /// Every value is missing.
  public var isEmpty: Bool { values.allSatisfy { $0 == nil } }

  /// Why this cannot be the answer to a request; nil when it can.
  public func misfit(to request: ScoreRequest) -> String? {
    let count = request.images.count
    if values.count != count { return "\(reward): \(values.count) scores for \(count) images" }
    guard request.wantsGradient, !isEmpty, gradient?.shape != request.images.shape else { return nil }
    let found = gradient.map { "one of shape \($0.shape)" } ?? "none"
    return "\(reward): expected a gradient of shape \(request.images.shape), found \(found)"
  }

  /// Equal in all they say, gradients element by element.
  public static func == (a: ScoreResult, b: ScoreResult) -> Bool {
    a.reward == b.reward && a.version == b.version && a.values == b.values && a.error == b.error
      && a.gradient?.shape == b.gradient?.shape && a.gradient?.values == b.gradient?.values
  }
}

/// The answer to a `ScoreRequest`.
public struct ScoreReply: Sendable, Equatable {
  /// The request's.
  public var id: UInt64
  /// One a reward that was asked for.
  public var results: [ScoreResult]

  /// The answer to request `id`.
  public init(id: UInt64, results: [ScoreResult]) {
    self.id = id
    self.results = results
  }
}
