// Every method trains from groups to policies, resumes exactly, and gives the same weights for groups that were stored
// in between.

import Configuration
import Engine
import Fixtures
import Foundation
import Logging
import Messages
import Telemetry
import Testing
import Training

extension SmallRun {
  /// A run of two epochs with a checkpoint after each.
  ///
  /// - Parameter proxy: whether the gradient is that of a proxy reward.
  init(_ method: MethodName, proxy: Bool = false) throws {
    try self.init()
    configuration.chooseSmall(method)
    configuration.checkpoint.every = 1
    configuration.evaluation.every = 0
    configuration.sampling.groupsPerEpoch = [.sdpo, .ddpo, .b2DiffuRL].contains(method) ? 4 : 2
    if proxy { configuration.gradient.source = .proxy }
    configuration.proxy.embeddingModel = TinyModel.repository.appending(path: "Tests/Golden/models/clip-vision").path
  }
}

/// Scores a picture with 10 times its mean pixel.
final class Brightness: PixelGradients {
  /// Indices of pictures without a score, counted over all calls.
  private let missing: Set<Int>
  private(set) var scored = 0

  init(missing: Set<Int> = []) { self.missing = missing }

  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor) {
    let count = pixels.shape[0], weight = 10 / Float(pixels.count / count)
    let means = (pixels * 10).mean(axes: [1, 2, 3]).values
    let isMissing = (0..<count).map { missing.contains(scored + $0) }
    scored += count
    return (
      zip(means, isMissing).map { $1 ? nil : $0 },
      Tensor(repeating: weight, shape: pixels.shape) * Tensor(isMissing.map { $0 ? 0 : 1 }, shape: [count, 1, 1, 1])
    )
  }
}

@Suite(.serialized) struct MethodTrainingTests {
  @Test(arguments: [
    (MethodName.sdpo, false), (.ddpo, false), (.b2DiffuRL, false), (.sqdf, false), (.draftK, false), (.lasro, false),
    (.sqdf, true),
  ])
  func `a stopped run resumes to the same weights to the bit`(method: MethodName, proxy: Bool) throws {
    var whole = try SmallRun(method, proxy: proxy), parts = try SmallRun(method, proxy: proxy)
    defer { [whole, parts].forEach { $0.remove() } }
    // The first epoch of lasro trains the surrogate only.
    (whole.configuration.lasro.warmupEpochs, parts.configuration.lasro.warmupEpochs) = (1, 1)
    let intake = try whole.train(gradients: Brightness())
    #expect(Set(intake.published.map(\.bytes)).count == (method == .lasro ? 2 : 3))
    let first = try parts.train(gradients: Brightness()) { $0.stopsBefore = 1 }
    try parts.train(gradients: Brightness()) { $0.given = first.given }
    #expect(try parts.checkpoint() == whole.checkpoint())
    // The adapter, the optimizer and the state, and the tensors of a learned reward.
    #expect(try whole.checkpoint().count == (method == .lasro || proxy ? 4 : 3))
    let followsGradient = ![.sdpo, .ddpo, .b2DiffuRL].contains(method)
    for record in try whole.metrics() {
      let isWarmup = method == .lasro && record.step == 0
      #expect(try #require(record.values["policy/fresh_ratio_error"]) <= 1e-4)
      #expect(isWarmup || record.values["epoch/units"] ?? 0 > 0)
      #expect((record.values["gradient/reward"] != nil) == (followsGradient && !isWarmup))
    }
  }

  @Test(arguments: [MethodName.sdpo, .ddpo, .b2DiffuRL, .sqdf, .lasro])
  func `a group that was encoded and stored trains to the same weights to the bit`(method: MethodName) throws {
    let straight = try SmallRun(method), stored = try SmallRun(method)
    defer { [straight, stored].forEach { $0.remove() } }
    try straight.train(gradients: Brightness())
    try stored.train(gradients: Brightness()) { try $0.passThrough(stored.folder.appending(path: "replay")) }
    #expect(try stored.checkpoint() == straight.checkpoint())
  }

  @Test func `groups that branch at the wrong step are refused`() throws {
    let run = try SmallRun(.b2DiffuRL)
    defer { run.remove() }
    let objection = try TrainingWorker(
      run.configuration, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).objection
    let intake = try SamplingIntake(run.configuration)
    #expect(try intake.groups(ofEpoch: 0)?.compactMap(objection).isEmpty == true)
    intake.branchStep = { _ in 0 }
    let group = try #require(try intake.groups(ofEpoch: 0)?.first)
    #expect(objection(group)?.contains("states shared up to step 1") == true)
  }
}
