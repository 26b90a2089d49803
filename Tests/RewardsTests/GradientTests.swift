// Gradients of rewards with respect to pixels, compared with finite differences, and scores of float pixels compared
// with those of bytes.

import Engine
import Fixtures
import Foundation
import Imaging
import Rewards
import Settings
import Testing

@Suite struct RewardGradientTests {
  init() throws { try Compute.start() }

  private func scorers() throws -> [any DifferentiableScorer] {
    let models = TinyModel.repository.appending(path: "Tests/Golden/models")
    let options = RewardSettings {
      $0.alignmentModel = TinyModel.repository.appending(path: "Models/emoji-clip").path
      $0.models = [
        "aesthetic": models.appending(path: "clip-vision").path,
        "aesthetic-head": models.appending(path: "aesthetic-head.safetensors").path,
      ]
    }
    return try ["colourfulness", "alignment", "aesthetic"].map { name in
      let scorer = try ScorerRegistry.make(name, options)
      return try #require(scorer as? any DifferentiableScorer, "\(name) has no gradient")
    }
  }

  /// Smooth pictures of all colours with a cast. They avoid 0 and 1, and grey, where colourfulness has a kink.
  private func pictures(_ count: Int, height: Int, width: Int) -> Tensor {
    Tensor(shape: [count, height, width, 3]) { pixels in
      for place in pixels.indices {
        let (image, row, column, channel) = (
          place / (height * width * 3), place / (width * 3) % height, place / 3 % width, place % 3
        )
        pixels[place] =
          0.35 + 0.15 * Float(channel)
          + 0.3 * sin(Float(row * (channel + 1) + column * (image + 2)) * 0.13 + Float(channel))
      }
    }
  }

  @Test(arguments: [(40, 48), (64, 64), (96, 80)])
  func `the slope along the gradient is its length, for each picture on its own`(height: Int, width: Int) throws {
    let pixels = pictures(2, height: height, width: width)
    let prompts = ["a frog", "a slice of pizza"]
    for scorer in try scorers() {
      let (scores, gradient) = try scorer.scoresAndGradient(pixels: pixels, prompts: prompts)
      #expect(gradient.shape == pixels.shape)
      let plain = try Tape.withoutGradients { try scorer.scores(pixels: pixels, prompts: prompts) }.values
      #expect(scores == plain)
      // The slope is largest along the gradient itself, so rounding to float32 matters least there.
      for image in 0..<2 {
        let own = gradient.slice(axis: 0, image..<image + 1)
        let length = own.squared().sum().sqrt().item
        try #require(length > 0)
        let direction = own / length
        let step: Float = 0.02
        let picture = pixels.slice(axis: 0, image..<image + 1)
        func score(_ pixels: Tensor) throws -> Float {
          try Tape.withoutGradients { try scorer.scores(pixels: pixels, prompts: [prompts[image]]) }.item
        }
        let slope = try (score(picture + direction * step) - score(picture - direction * step)) / (2 * step)
        // The difference quotient is off by its third-order term and by rounding to float32; the worst measured error
        // is 1e-3.
        #expect(abs(slope - length) < 3e-3 * length, "\(scorer.name) \(height)x\(width): \(slope) and \(length)")
      }
    }
  }

  @Test(arguments: [64, 128])
  func `float pixels score like their bytes, except for resizing and rounding`(size: Int) throws {
    let pixels = pictures(2, height: size, width: size)
    let bytes = pixels.values.map { UInt8(($0 * 255).rounded()) }
    let prompts = ["a frog", "a slice of pizza"]
    for scorer in try scorers() {
      let rounded = try scorer.scores(images: bytes, height: size, width: size, prompts: prompts).map { $0 ?? .nan }
      let smooth = try Tape.withoutGradients { try scorer.scores(pixels: pixels, prompts: prompts) }.values
      // At 64 pixels, the size that the CLIP of the embedded model takes, bytes differ only by rounding: at most 2.5e-4
      // was measured. At 128 pixels bytes are resized bicubically and float pixels bilinearly: at most 0.011.
      let tolerance: Float = size == 64 ? 1e-3 : 0.02
      for (a, b) in zip(rounded, smooth) {
        #expect(abs(a - b) < tolerance * max(1, abs(a)), "\(scorer.name) at \(size): \(a) and \(b)")
      }
    }
  }

  @Test func `colourfulness is 0 for grey and follows the formula for two colours`() throws {
    let scorer = Colourfulness()
    let grey = [UInt8](repeating: 120, count: 12)
    // Half of the pixels are red (rg 255, yb 127.5), half are blue (rg 0, yb -255).
    let colours: [UInt8] = [255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255]
    let scores = try scorer.scores(images: grey + colours, height: 2, width: 2, prompts: ["", ""])
    let found = scores.map { $0 ?? .nan }
    #expect(abs(found[0]) < 1e-3)
    let spread = (127.5 * 127.5 + 191.25 * 191.25 as Float).squareRoot()
    let mean = (127.5 * 127.5 + 63.75 * 63.75 as Float).squareRoot()
    #expect(abs(found[1] - (spread + 0.3 * mean)) < 0.01)
  }

  @Test func `the gradient of a grey picture is finite`() throws {
    let grey = Tensor(repeating: 0.5, shape: [1, 4, 4, 3])
    let gradient = try Colourfulness().scoresAndGradient(pixels: grey, prompts: [""]).gradient.values
    #expect(gradient.allSatisfy { $0.isFinite })
  }

  @Test func `pixels that do not fit the prompts are refused`() throws {
    for scorer in try scorers() {
      for shape in [[2, 8, 8, 3], [1, 8, 8, 4], [8, 8, 3]] {
        #expect(throws: ScorerError.self) { try scorer.scores(pixels: Tensor.zeros(shape), prompts: ["a"]) }
      }
    }
  }
}
