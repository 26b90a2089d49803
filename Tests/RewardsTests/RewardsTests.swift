// Rewards by name, JPEG sizes, and refusals.

import Engine
import Fixtures
import Foundation
import Imaging
import Rewards
import Settings
import Testing

@Suite struct RewardsTests {
  init() throws { try Compute.start() }

  private let flat = [UInt8](repeating: 200, count: 32 * 48 * 3)
  private var noisy: [UInt8] {
    var random = RandomStream(seed: 4)
    return random.uniform([32 * 48 * 3]).values.map { UInt8($0 * 255) }
  }

  @Test func `JPEG size is in thousands of bytes at quality 95, and compressibility is its negative`() throws {
    let large = try ScorerRegistry.make("jpeg-incompressibility", RewardSettings())
    let small = try ScorerRegistry.make("jpeg-compressibility", RewardSettings())
    let images = flat + noisy
    let sizes = try large.scores(images: images, height: 32, width: 48, prompts: ["a", "b"])
    let expected = try [flat, noisy].map {
      Float(try Image(width: 48, height: 32, pixels: $0).jpegBytes(quality: 95).count) / 1000
    }
    #expect(sizes == expected)
    #expect(expected[1] > 2 * expected[0])
    #expect(try small.scores(images: images, height: 32, width: 48, prompts: ["a", "b"]) == expected.map { -$0 })
    #expect(try small.scores(images: [], height: 32, width: 48, prompts: []).isEmpty)
  }

  @Test func `bytes that do not fit the prompts are refused without overflow`() throws {
    let scorer = try ScorerRegistry.make("jpeg-compressibility", RewardSettings())
    for (height, width, prompts) in [(32, 48, 2), (0, 48, 1), (-1, -1, 1), (Int.max, Int.max, 1), (Int.max, 1, 2)] {
      #expect(throws: ScorerError.self) {
        try scorer.scores(
          images: flat, height: height, width: width, prompts: [String](repeating: "x", count: prompts))
      }
    }
  }

  @Test func `unknown rewards and missing models are refused by name`() throws {
    let unknown = #expect(throws: ScorerError.self) { try ScorerRegistry.make("beauty", RewardSettings()) }
    for name in ScorerRegistry.names { #expect(unknown?.description.contains(name) == true) }
    for name in ["alignment", "aesthetic"] {
      let error = #expect(throws: ScorerError.self) {
        try ScorerRegistry.make(name, RewardSettings { $0.alignmentModel = "" })
      }
      #expect(error?.description.contains(name) == true)
    }
    let mistyped = #expect(throws: ScorerError.self) {
      try ScorerRegistry.make("colourfulness", RewardSettings { $0.models = ["clip-scores": "/clip"] })
    }
    #expect(mistyped?.description.contains("unknown key clip-scores; the nearest known key is clip-score") == true)
    let options = RewardSettings { $0.alignmentModel = "/nonexistent/clip" }
    do {
      _ = try ScorerRegistry.make("alignment", options)
      Issue.record("a missing model was accepted")
    } catch { #expect("\(error)".contains("/nonexistent/clip")) }
  }

  private static let clip = TinyModel.repository.appending(path: "Models/emoji-clip")

  @Test func `the aesthetic score is finite and depends only on model and head`() throws {
    let golden = TinyModel.repository.appending(path: "Tests/Golden/models")
    let options = RewardSettings {
      $0.models = [
        "aesthetic": golden.appending(path: "clip-vision").path,
        "aesthetic-head": golden.appending(path: "aesthetic-head.safetensors").path,
      ]
    }
    let scorer = try ScorerRegistry.make("aesthetic", options)
    let both = try scorer.scores(images: flat + noisy, height: 32, width: 48, prompts: ["a", "b"])
    let again = try ScorerRegistry.make("aesthetic", options)
    #expect(both.allSatisfy { $0?.isFinite == true } && both[0] != both[1])
    #expect(again.version == scorer.version)
    let alone = try again.scores(images: noisy, height: 32, width: 48, prompts: ["other"])
    #expect(abs(alone[0]! - both[1]!) < 1e-4)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: clip.path), "Models/emoji-clip is missing"))
  func `a picture of a glyph agrees with its own name better than with others`() throws {
    let options = RewardSettings { $0.alignmentModel = Self.clip.path }
    let scorer = try ScorerRegistry.make("alignment", options)
    let names: [(UInt32, String)] = [(0x1F415, "dog"), (0x1F34C, "banana"), (0x1F41F, "fish"), (0x1F339, "rose")]
    let font = try EmojiFont()
    let pictures = try names.map { try font.image(of: Unicode.Scalar($0.0)!).paddedSquare(side: 64).pixels }
    for (index, picture) in pictures.enumerated() {
      let scores = try scorer.scores(
        images: [[UInt8]](repeating: picture, count: names.count).flatMap { $0 }, height: 64, width: 64,
        prompts: names.map(\.1)
      ).map { $0! }
      #expect(scores.allSatisfy { (-1.001...1.001).contains($0) })
      #expect(scores.max() == scores[index], "\(names[index].1): \(scores)")
    }
  }
}
