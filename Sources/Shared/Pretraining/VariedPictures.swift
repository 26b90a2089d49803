// Batches of captioned pictures, varied a little each time they are seen.

import Engine
import Foundation
import Imaging

/// How far a picture may be moved from its original.
struct Variety: Sendable {
  var smallest = 1.0, largest = 1.0
  /// Degrees either way.
  var rotation = 0.0
  /// Of the side, either way.
  var shift = 0.0
  var mirrors = false

  /// For the autoencoder and the CLIP: places and sizes of all kinds.
  static let wide = Variety(smallest: 0.75, largest: 1.1, rotation: 12, shift: 0.07, mirrors: true)
  /// For the denoiser: few good subjects beat many blurred ones, but reinforcement learning needs something to choose
  /// between.
  static let narrow = Variety(smallest: 0.92, largest: 1.0, rotation: 0, shift: 0.016, mirrors: false)

  func draw(_ random: inout RandomStream) -> Image.Variation {
    var variation = Image.Variation()
    let u = random.uniform([5]).values.map(Double.init)
    variation.scale = smallest + (largest - smallest) * u[0]
    variation.angle = (2 * u[1] - 1) * rotation * .pi / 180
    variation.shift = ((2 * u[2] - 1) * shift, (2 * u[3] - 1) * shift)
    variation.isMirrored = mirrors && u[4] < 0.5
    return variation
  }
}

/// A data set in memory, in squares of one size.
struct VariedPictures {
  private let originals: [Image]
  let captions: [String]
  let side: Int

  /// Reads all pictures, as squares of up to twice the side.
  init(_ pictures: some CaptionedPictures, side: Int) throws {
    originals = try (0..<pictures.count).map { try pictures.picture($0).paddedSquare(side: 2 * side) }
    captions = (0..<pictures.count).map(pictures.caption)
    self.side = side
  }

  var count: Int { originals.count }

  /// A picture under a variation drawn from a stream.
  func picture(_ index: Int, _ variety: Variety, _ random: inout RandomStream) -> Image {
    originals[index].varied(variety.draw(&random)).resized(width: side, height: side)
  }

  /// Pictures as `[n, 3, side, side]` in -1...1.
  func batch(_ indices: [Int], _ variety: Variety, _ random: inout RandomStream) -> Tensor {
    Tensor.stacked(indices.map { picture($0, variety, &random).tensor(range: .signed) })
  }
}

/// The ways a name is asked for: most often bare.
enum PromptTemplates {
  static let all = ["%", "a %", "a picture of a %", "an emoji of a %"]

  static func draw(_ name: String, _ random: inout RandomStream) -> String {
    let place = random.integer(below: 6)
    return fill(place < all.count ? place : 0, name)
  }

  static func fill(_ template: Int, _ name: String) -> String {
    all[template].replacing("%", with: name)
  }
}
