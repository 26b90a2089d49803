// A reward that compares the pictures of a group.

import Engine
import Fixtures
import Foundation
import Rewards
import Settings
import Testing

@Suite struct DiversityTests {
  private let size = 64 * 64 * 3

  init() throws { try Compute.start() }

  private func scorer() throws -> any GroupScorer {
    let model = TinyModel.repository.appending(path: "Models/emoji-clip")
    let made = try ScorerRegistry.make("diversity", RewardSettings { $0.alignmentModel = model.path })
    return try #require(made as? any GroupScorer)
  }

  /// A picture of one colour with a bar.
  private func picture(_ level: UInt8, bar: Int) -> [UInt8] {
    (0..<size).map { $0 / (64 * 3) / 8 == bar ? 255 : $0 % 3 == 0 ? level : 40 }
  }

  private func position(_ trajectory: Int, _ step: Int) -> PicturePosition {
    PicturePosition(trajectory: trajectory, step: step)
  }

  @Test func `equal pictures score 0, different ones more, and a single trajectory has no score`() throws {
    let scorer = try scorer()
    #expect(!scorer.hasGradient)
    let a = picture(200, bar: 1), b = picture(10, bar: 6)
    let scores = try scorer.scores(
      images: a + a + b, height: 64, width: 64, prompts: ["x", "x", "x"],
      positions: [position(0, 1), position(1, 1), position(2, 1)])
    let found = scores.map { $0 ?? .nan }
    #expect(found[2] > 0.01)
    // The mean of 0, to the equal picture, and the distance to the third.
    #expect(abs(found[0] - found[2] / 2) < 1e-4 && abs(found[1] - found[0]) < 1e-5)
    let alone = try scorer.scores(
      images: a + b, height: 64, width: 64, prompts: ["x", "x"], positions: [position(0, 0), position(0, 3)])
    #expect(alone == [nil, nil])
  }

  @Test func `a picture is compared with the nearest step of each other trajectory`() throws {
    let scorer = try scorer()
    let a = picture(200, bar: 1), b = picture(10, bar: 6)
    // Trajectory 0 has a at both steps, trajectory 1 has a at the first and b at the last.
    let scores = try scorer.scores(
      images: a + a + a + b, height: 64, width: 64, prompts: ["x", "x", "x", "x"],
      positions: [position(0, 0), position(0, 3), position(1, 0), position(1, 3)]
    ).map { $0 ?? .nan }
    #expect(abs(scores[0]) < 1e-5 && abs(scores[2]) < 1e-5)
    #expect(scores[1] > 0.01 && abs(scores[1] - scores[3]) < 1e-5)
  }

  @Test func `pictures without positions are grouped by prompt`() throws {
    let scorer = try scorer()
    let a = picture(200, bar: 1), b = picture(10, bar: 6)
    let scores = try scorer.scores(images: a + b + a + b, height: 64, width: 64, prompts: ["x", "y", "x", "z"])
    #expect(abs(scores[0] ?? .nan) < 1e-5 && abs(scores[2] ?? .nan) < 1e-5)
    #expect(scores[1] == nil && scores[3] == nil)
    #expect(throws: ScorerError.self) {
      try scorer.scores(images: a, height: 64, width: 64, prompts: ["x"], positions: [])
    }
  }
}
