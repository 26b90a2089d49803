// How images are scored: an actor asks with a deadline, a server answers per reward; a score that failed is missing,
// which is not zero.

internal import Engine

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

/// Asks for the scores of a batch of images by one or more rewards.
public struct ScoreRequest: Sendable, Equatable {
  /// Chosen by the client, unique among its requests.
  public var id: UInt64
  /// Names of rewards.
  public var rewards: [String]
  /// One an image.
  public var prompts: [String]
  /// What is to be scored.
  public var images: ImageBatch
  /// Milliseconds from arrival after which nobody waits for the reply.
  public var deadline: Int
  /// Free text for rewards that want more than prompts.
  public var metadata: [String: String]

  /// A request with all it says.
  public init(
    id: UInt64, rewards: [String], prompts: [String], images: ImageBatch, deadline: Int,
    metadata: [String: String] = [:]
  ) {
    self.id = id
    self.rewards = rewards
    self.prompts = prompts
    self.images = images
    self.deadline = deadline
    self.metadata = metadata
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

  /// The scores of one reward, `error` saying why any is missing.
  public init(reward: String, version: String, values: [Float?], error: String = "") {
    self.reward = reward
    self.version = version
    self.values = values
    self.error = error
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

/// A scorer's name and version.
public struct RewardVersion: Sendable, Equatable, Hashable {
  /// Name of the reward.
  public var name: String
  /// Version of its scorer.
  public var version: String

  /// A reward's scorer.
  public init(name: String, version: String) {
    self.name = name
    self.version = version
  }
}

/// A reward server offers itself to a router.
public struct ServerReady: Sendable, Equatable {
  /// Names it in logs.
  public var name: String
  /// What it can score.
  public var rewards: [RewardVersion]
  /// Images it likes in a request.
  public var batchSize: Int
  /// Requests it takes at once.
  public var credits: Int

  /// An offer with all it says.
  public init(name: String, rewards: [RewardVersion], batchSize: Int, credits: Int) {
    self.name = name
    self.rewards = rewards
    self.batchSize = batchSize
    self.credits = credits
  }
}
