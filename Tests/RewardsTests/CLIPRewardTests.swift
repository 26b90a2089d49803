// Scores of CLIP models compared with transformers and open_clip, on small random models.
// scripts/golden-clip-rewards.py wrote the models and the expected numbers.

import Engine
import Fixtures
import Foundation
import Layers
import Rewards
import Settings
import Testing

@Suite struct CLIPRewardTests {
  private static let golden = TinyModel.repository.appending(path: "Tests/Golden/models/clip-rewards")
  private let prompts = ["a green frog", "a slice of pizza", "rose"]

  init() throws { try Compute.start() }

  /// Calls `body` with options for both models in a temporary folder, with a tokenizer.
  private func withModels(_ body: (RewardSettings) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for kind in ["transformers", "open_clip"] {
        let copy = folder.appending(path: kind)
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        let files = try FileManager.default.contentsOfDirectory(
          at: Self.golden.appending(path: kind), includingPropertiesForKeys: nil)
        let tokenizer = ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"].map {
          TinyModel.repository.appending(path: "Models/emoji-clip").appending(path: $0)
        }
        for file in files + tokenizer {
          try FileManager.default.createSymbolicLink(
            at: copy.appending(path: file.lastPathComponent), withDestinationURL: file)
        }
      }
      let transformers = folder.appending(path: "transformers").path
      try body(
        RewardSettings {
          $0.alignmentModel = transformers
          $0.models = [
            "clip-score": transformers, "pick-score": transformers, "hpsv2": folder.appending(path: "open_clip").path,
          ]
        })
    }
  }

  @Test(arguments: ["alignment", "clip-score", "pick-score", "hpsv2"])
  func `scores and gradients equal those of transformers and open_clip`(name: String) throws {
    let expected = try SafetensorsFile(Self.golden.appending(path: "scores.safetensors"))
    let images = try expected.tensor("images")
    try withModels { options in
      let made = try ScorerRegistry.make(name, options)
      let scorer = try #require(made as? any DifferentiableScorer)
      #expect(scorer.name == name && scorer.version.hasPrefix(name))
      // pick-score multiplies the cosine by e^3.1, clip-score by 100.
      let scale: Float = name == "clip-score" ? 100 : name == "pick-score" ? 22.2 : 1
      let pixels = try scorer.scoresAndGradient(pixels: images / 255, prompts: prompts)
      let smooth = try expected.tensor("\(name).pixels").values
      for (found, wanted) in zip(pixels.scores, smooth) { #expect(abs(found - wanted) < 1e-5 * scale) }
      let slopes = try expected.tensor("\(name).gradient")
      let largest = slopes.values.map { abs($0) }.max() ?? 0
      let worst = zip(pixels.gradient.values, slopes.values).map { abs($0 - $1) }.max() ?? .infinity
      #expect(worst < 1e-4 * largest, "\(name): gradient error \(worst), largest element \(largest)")
      let bytes = try scorer.scores(
        images: images.values.map { UInt8($0) }, height: 48, width: 48, prompts: prompts)
      let rounded = try expected.tensor("\(name).bytes").values
      // Pillow's bicubic resizing rounds to 8 bits twice; a difference of one grey level in a few pixels is tolerated.
      for (found, wanted) in zip(bytes, rounded) {
        let found = try #require(found)
        #expect(abs(found - wanted) < 2e-3 * scale, "\(name): \(found), expected \(wanted)")
      }
    }
  }

  @Test func `a folder without a model and an unsupported open_clip setting are refused by name`() throws {
    try withModels { options in
      for name in ["clip-score", "pick-score", "hpsv2"] {
        let error = #expect(throws: ScorerError.self) { try ScorerRegistry.make(name, RewardSettings()) }
        #expect(error?.description.contains("reward \(name)") == true)
      }
      let folder = URL(filePath: try #require(options.models["hpsv2"]))
      let file = folder.appending(path: "open_clip_config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      try FileManager.default.removeItem(at: file)
      try text.replacingOccurrences(of: "\"patch_size\"", with: "\"timm_pool\": \"map\", \"patch_size\"")
        .write(to: file, atomically: true, encoding: .utf8)
      do {
        _ = try ScorerRegistry.make("hpsv2", options)
        Issue.record("an unsupported setting was accepted")
      } catch { #expect("\(error)".contains("timm_pool")) }
    }
  }
}
