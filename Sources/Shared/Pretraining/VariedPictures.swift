// Batches of captioned pictures, slightly varied each time they are used.

import Engine
import Foundation
import Imaging

/// The range of random variations of a picture.
struct Variety: Sendable {
  var smallest = 1.0, largest = 1.0
  /// Largest rotation in degrees, in both directions.
  var rotation = 0.0
  /// Largest shift as a fraction of the side, in both directions.
  var shift = 0.0
  var mirrors = false
  /// Smallest fraction of its contrast that a picture keeps; it fades towards white.
  var faintest = 1.0

  /// For the autoencoder: all positions and sizes.
  static let autoencoder = Variety(smallest: 0.75, largest: 1.1, rotation: 12, shift: 0.07, mirrors: true)
  /// For the CLIP: the same, and slightly fainter, so that it also recognizes pictures that it scores lower.
  static let clip = Variety(smallest: 0.75, largest: 1.1, rotation: 12, shift: 0.07, mirrors: true, faintest: 0.75)
  /// For the denoiser: smaller and fainter pictures in addition to the good ones, because reinforcement learning needs
  /// differences to choose between, and ones that all prompts have in common.
  static let denoiser = Variety(smallest: 0.72, shift: 0.02, faintest: 0.5)

  func draw(_ random: inout RandomStream) -> Image.Variation {
    var variation = Image.Variation()
    let u = random.uniform([5]).values.map(Double.init)
    variation.scale = smallest + (largest - smallest) * u[0]
    variation.angle = (2 * u[1] - 1) * rotation * .pi / 180
    variation.shift = ((2 * u[2] - 1) * shift, (2 * u[3] - 1) * shift)
    variation.isMirrored = mirrors && u[4] < 0.5
    return variation
  }

  func drawContrast(_ random: inout RandomStream) -> Double {
    faintest < 1 ? faintest + (1 - faintest) * Double(random.uniform()) : 1
  }
}

/// A data set in memory, as squares of one size.
struct VariedPictures {
  private let originals: [Image]
  let captions: [String]
  let side: Int

  /// Reads all pictures as squares of up to twice the side.
  init(_ pictures: some CaptionedPictures, side: Int) throws {
    originals = try (0..<pictures.count).map { try pictures.picture($0).paddedSquare(side: 2 * side) }
    captions = (0..<pictures.count).map(pictures.caption)
    self.side = side
  }

  var count: Int { originals.count }

  func picture(_ index: Int, _ variety: Variety, _ random: inout RandomStream) -> Image {
    let placed = originals[index].varied(variety.draw(&random)).resized(width: side, height: side)
    return placed.faded(keeping: variety.drawContrast(&random))
  }

  /// Pictures as `[n, 3, side, side]` in -1...1.
  func batch(_ indices: [Int], _ variety: Variety, _ random: inout RandomStream) -> Tensor {
    Tensor.stacked(indices.map { picture($0, variety, &random).tensor(range: .signed) })
  }
}

/// The prompts for a name; most often the name alone.
enum PromptTemplates {
  static let all = ["%", "a %", "a picture of a %", "an emoji of a %"]

  static func draw(_ name: String, _ random: inout RandomStream) -> String {
    let place = random.integer(below: 6)
    return fill(place < all.count ? place : 0, name)
  }

  static func fill(_ template: Int, _ name: String) -> String { all[template].replacing("%", with: name) }
}
