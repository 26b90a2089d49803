// Score requests, with a deadline, and replies, with one result per reward. A score that could not be computed is
// missing, and the result says why.

internal import Basics
package import Engine

/// 8-bit RGB images, row-major `[count, height, width, 3]`.
package struct ImageBatch: Sendable, Equatable {
  package let count: Int
  package let height: Int
  package let width: Int
  /// `count * height * width * 3` bytes.
  package let pixels: [UInt8]

  /// Stops the program if the number of bytes does not match the shape.
  package init(count: Int, height: Int, width: Int, pixels: [UInt8]) {
    check(
      pixels.count == count * height * width * 3,
      "ImageBatch: \(pixels.count) bytes do not match the shape [\(count), \(height), \(width), 3]")
    (self.count, self.height, self.width, self.pixels) = (count, height, width, pixels)
  }
}

/// The images of a score request: 8-bit pictures, or float pixels for requests with gradients.
package enum ScoredImages: Sendable, Equatable {
  /// 8 bits per channel. The request asks for scores only.
  case bytes(ImageBatch)
  /// float32 RGB in 0...1, `[count, height, width, 3]`. The request asks for scores and for their gradients with
  /// respect to the pixels.
  case pixels(Tensor)

  package var count: Int { shape[0] }
  package var height: Int { shape[1] }
  package var width: Int { shape[2] }
  /// `[count, height, width, 3]`
  package var shape: [Int] {
    switch self {
    case .bytes(let images): [images.count, images.height, images.width, 3]
    case .pixels(let pixels): pixels.shape
    }
  }

  package static func == (a: ScoredImages, b: ScoredImages) -> Bool {
    switch (a, b) {
    case (.bytes(let a), .bytes(let b)): a == b
    case (.pixels(let a), .pixels(let b)): a.shape == b.shape && a.values == b.values
    default: false
    }
  }
}

/// The clean state of a group that an image shows, for rewards that compare the images of a group.
package struct GroupPosition: Sendable, Equatable, Hashable {
  package var trajectory: Int
  package var step: Int

  package init(trajectory: Int, step: Int) {
    self.trajectory = trajectory
    self.step = step
  }
}

package struct ScoreRequest: Sendable, Equatable {
  /// The largest number of images in a request, and of values in a result.
  package static let mostImages = 1 << 16
  package static let mostRewards = 256

  /// Chosen by the client, unique among its requests.
  package var id: UInt64
  package var rewards: [String]
  /// One per image.
  package var prompts: [String]
  package var images: ScoredImages
  /// Milliseconds from arrival after which the client no longer waits for the reply.
  package var deadline: Int
  /// One per image if all images belong to one group; empty otherwise.
  package var positions: [GroupPosition]

  /// Stops the program if the images are not `[count, height, width, 3]`, or if there are positions for some images
  /// only.
  package init(
    id: UInt64, rewards: [String], prompts: [String], images: ScoredImages, deadline: Int,
    positions: [GroupPosition] = []
  ) {
    check(
      images.shape.count == 4 && images.shape[3] == 3,
      "ScoreRequest: images of shape \(images.shape) are not [count, height, width, 3]")
    check(
      positions.isEmpty || positions.count == images.count,
      "ScoreRequest: \(positions.count) positions for \(images.count) images")
    (self.id, self.rewards, self.prompts) = (id, rewards, prompts)
    (self.images, self.deadline, self.positions) = (images, deadline, positions)
  }

  /// Whether the client asks for the gradients of the scores with respect to the pixels.
  package var wantsGradient: Bool { if case .pixels = images { true } else { false } }

  /// A reply without any score.
  ///
  /// - Parameter reason: The error of every requested reward.
  package func missing(_ reason: String) -> ScoreReply {
    let values = [Float?](repeating: nil, count: images.count)
    return ScoreReply(
      id: id,
      results: rewards.unique().map { ScoreResult(reward: $0, version: "", values: values, error: reason) })
  }
}

package struct ScoreResult: Sendable, Equatable {
  package var reward: String
  /// Version of the scorer; empty if none ran.
  package var version: String
  /// One per image; nil: missing.
  package var values: [Float?]
  /// The reason why values are missing; empty if none is.
  package var error: String
  /// If requested: d values[b] / d images[b], `[B, height, width, 3]`, 0 for images whose value is missing.
  package var gradient: Tensor?

  package init(reward: String, version: String, values: [Float?], error: String = "", gradient: Tensor? = nil) {
    (self.reward, self.version, self.values, self.error, self.gradient) = (reward, version, values, error, gradient)
  }

  package var isEmpty: Bool { values.allSatisfy { $0 == nil } }

  /// The reason why this result does not match a request; nil if it matches.
  package func misfit(to request: ScoreRequest) -> String? {
    let count = request.images.count
    if values.count != count { return "\(reward): \(values.count) scores for \(count) images" }
    guard request.wantsGradient, !isEmpty, gradient?.shape != request.images.shape else { return nil }
    let found = gradient.map { "one of shape \($0.shape)" } ?? "none"
    return "\(reward): expected a gradient of shape \(request.images.shape), found \(found)"
  }

  package static func == (a: ScoreResult, b: ScoreResult) -> Bool {
    a.reward == b.reward && a.version == b.version && a.values == b.values && a.error == b.error
      && a.gradient?.shape == b.gradient?.shape && a.gradient?.values == b.gradient?.values
  }
}

package struct ScoreReply: Sendable, Equatable {
  package var id: UInt64
  package var results: [ScoreResult]

  package init(id: UInt64, results: [ScoreResult]) {
    self.id = id
    self.results = results
  }
}
