// How colourful a picture is, by a formula fitted to people's ratings (Hasler & Süsstrunk, "Measuring colourfulness in
// natural images", 2003, equation 3, the metric M(3) in sRGB).

package import Engine
internal import Imaging

/// 0 for grey pictures; "moderately colourful" is about 33, "extremely" about 109.
///
///     rg = R - G,  yb = (R + G) / 2 - B,  R, G, B in 0...255
///     M = √(σ_rg² + σ_yb²) + 0.3 √(μ_rg² + μ_yb²)
package struct Colourfulness: DifferentiableScorer {
  static let declaration = RewardDeclaration("colourfulness") { _ in Colourfulness() }

  package let name = "colourfulness"
  package let version = "colourfulness/1"

  package init() {}

  package func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    guard !(try pictures(images, height: height, width: width, count: prompts.count)).isEmpty else { return [] }
    let pixels = Tensor(shape: [prompts.count, height, width, 3]) { target in
      for place in images.indices { target[place] = Float(images[place]) / 255 }
    }
    return try Tape.withoutGradients { try scores(pixels: pixels, prompts: prompts) }.values
  }

  package func scores(pixels: Tensor, prompts: [String]) throws -> Tensor {
    try requirePrompts(prompts, for: pixels)
    let flat = pixels.reshaped([pixels.shape[0], -1, 3]) * 255
    // Columns rg and yb of every pixel: [n, pixels, 2].
    let opponents = linear(flat, Tensor([1, -1, 0, 0.5, 0.5, -1], shape: [2, 3]))
    let mean = opponents.mean(axes: [1], keepAxes: true)
    let variance = (opponents - mean).squared().mean(axes: [1])
    // 1e-8 keeps the derivatives finite for grey pictures, whose variance and mean are 0.
    let spread = (variance.sum(axes: [1]) + 1e-8).sqrt()
    return spread + (mean.reshaped([-1, 2]).squared().sum(axes: [1]) + 1e-8).sqrt() * 0.3
  }
}
