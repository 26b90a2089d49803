// The waiting client, with a router and reward servers on real sockets.

import Configuration
import Engine
import Foundation
import Logging
import Messages
import RewardClient
import RewardServer
import Rewards
import Testing
import Transport

@Suite(.serialized)
struct ScoreClientTests {
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  init() throws { try Compute.start() }

  /// Mean of red squared; NaN if the picture is black.
  struct Redness: DifferentiableScorer {
    let name = "redness"
    let version = "1"

    func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
      prompts.indices.map { Float(images[$0 * height * width * 3]) / 255 }
    }

    func scores(pixels: Tensor, prompts: [String]) throws -> Tensor {
      let red = pixels.slice(axis: 3, 0..<1)
      let mean = red.squared().mean(axes: [1, 2, 3])
      return mean / mean * mean
    }
  }

  @Test func `scores and gradients of several servers are returned in order`() throws {
    try withServers { client in
      try client.requireRewards(["redness"], gradient: true)
      let count = 37
      let pixels = Tensor((0..<count * 12).map { Float($0 + 1) / 500 }, shape: [count, 2, 2, 3])
      let prompts = (0..<count).map { "prompt \($0)" }
      let result = try #require(
        try client.scores(of: .pixels(pixels), prompts: prompts, rewards: ["redness"]).first)
      let found = try #require(result.gradient)
      #expect(found.shape == pixels.shape)
      let values = pixels.values
      for image in 0..<count {
        let reds = (0..<4).map { values[image * 12 + $0 * 3] }
        let expected = reds.map { $0 * $0 }.reduce(0, +) / 4
        let value = try #require(result.values[image])
        #expect(abs(value - expected) < 1e-5)
        for (pixel, red) in reds.enumerated() {
          #expect(abs(found.values[image * 12 + pixel * 3] - red / 2) < 1e-5)
          #expect(found.values[image * 12 + pixel * 3 + 1] == 0)
        }
      }
      #expect(result.version == "1")
    }
  }

  @Test func `a score that is not finite is missing and its gradient is 0`() throws {
    try withServers { client in
      var values = [Float](repeating: 0.5, count: 24)
      for index in 12..<24 { values[index] = 0 }
      let results = try client.scores(
        of: .pixels(Tensor(values, shape: [2, 2, 2, 3])), prompts: ["a", "b"], rewards: ["redness"])
      #expect(results[0].values == [0.25, nil])
      #expect(results[0].error.contains("redness: expected finite numbers"))
      #expect(results[0].gradient?.values.suffix(12) == [Float](repeating: 0, count: 12)[...])
      let sum = RewardSum(["redness": 2])(results, count: 2)
      #expect(sum.values == [0.5, nil])
      #expect(sum.gradient?.values.prefix(3) == [0.5, 0, 0])
    }
  }

  @Test func `a reward without a gradient is refused by name`() throws {
    try withServers { client in
      try client.requireRewards(["jpeg-compressibility", "redness"])
      let error = #expect(throws: ScoreClientError.self) {
        try client.requireRewards(["redness", "jpeg-compressibility"], gradient: true)
      }
      #expect(error?.description.contains("the reward jpeg-compressibility is offered without a gradient") == true)
      #expect(error?.description.contains("Rewards with a gradient: redness") == true)
      let result = try #require(
        try client.scores(
          of: .pixels(Tensor.ones([1, 2, 2, 3])), prompts: ["a"], rewards: ["jpeg-compressibility"]).first)
      #expect(result.values == [nil])
      #expect(result.gradient == nil)
      #expect(result.error.contains("the reward jpeg-compressibility of"))
    }
  }

  @Test func `a reward that is not offered is named together with the offered ones`() throws {
    try withServers { client in
      try client.requireRewards(["redness"])
      let error = #expect(throws: ScoreClientError.self) {
        try client.requireRewards(["beauty", "redness"], timeout: .milliseconds(1))
      }
      #expect(error?.description.contains("no reward server offers beauty") == true)
    }
  }

  @Test func `without a router the scores are missing at the deadline`() throws {
    let network = NetworkSettings {
      $0.routers = ["tcp://127.0.0.1:1"]
      $0.scoreDeadline = 0.05
      $0.connectTimeout = 0.05
    }
    let client = try ScoreClient(Context(), network, name: "lonely")
    let error = #expect(throws: ScoreClientError.self) { try client.requireRewards(["redness"]) }
    #expect(error?.description.contains("tcp://127.0.0.1:1") == true)
    let image = ScoredImages.bytes(ImageBatch(count: 1, height: 1, width: 1, pixels: [1, 2, 3]))
    let result = try #require(try client.scores(of: image, prompts: ["a"], rewards: ["redness"]).first)
    #expect(result.values == [nil])
    #expect(result.error.contains("no router answered"))
  }

  @Test func `images that do not fit into a message are refused with the key to change`() throws {
    let network = NetworkSettings {
      $0.routers = ["tcp://127.0.0.1:1"]
      $0.maximumMessageBytes = 2 << 20
    }
    let client = try ScoreClient(Context(), network, name: "learner")
    let error = #expect(throws: ScoreClientError.self) {
      try client.scores(of: .pixels(Tensor.zeros([1, 512, 512, 3])), prompts: ["a"], rewards: ["redness"])
    }
    #expect(error?.description.contains("network.maximumMessageBytes") == true)
  }

  @Test func `a reward sum is missing where a part is missing`() {
    let sum = RewardSum(["b": -2, "a": 0.5])
    #expect(sum.names == ["a", "b"])
    #expect(sum(["a": 1, "b": 3]) == -5.5)
    #expect(sum(["a": 1]) == nil)
    let a = ScoreResult(
      reward: "a", version: "", values: [1, 2], gradient: Tensor([1, 2, 3, 4, 5, 6], shape: [2, 1, 1, 3]))
    let b = ScoreResult(reward: "b", version: "", values: [1, nil], gradient: Tensor.ones([2, 1, 1, 3]))
    let total = sum([b, a], count: 2)
    #expect(total.values == [-1.5, nil])
    #expect(total.gradient?.values == [-1.5, -1, -0.5, 0, 0, 0])
  }

  // MARK: - Helpers

  func withServers(_ body: (ScoreClient) throws -> Void) throws {
    let context = try Context()
    let router = try RouterService(
      context, front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*",
      network: NetworkSettings { $0.heartbeatInterval = 0.05 }, logger: logger)
    let servers = try ["ada", "bob"].map { name in
      let options = ScoringOptions(
        name: name,
        reward: RewardSettings {
          $0.requestsAtOnce = 2
          $0.batchSize = 3
        },
        network: NetworkSettings {
          $0.routerBackends = [router.endpoints.back]
          $0.heartbeatInterval = 0.05
        })
      return try ScoringService(context, options, logger: logger) {
        [Redness(), try ScorerRegistry.make("jpeg-compressibility", RewardSettings())]
      }
    }
    let network = NetworkSettings { $0.routers = [router.endpoints.front] }
    try body(ScoreClient(context, network, name: "learner", imagesPerRequest: 5))
    for server in servers { server.stop() }
    for server in servers { try server.join() }
    router.stop()
    try router.join()
  }
}
