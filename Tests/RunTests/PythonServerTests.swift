// Reward servers in Python with the router in Swift.

import Configuration
import Engine
import Foundation
import Messages
import RewardClient
import RewardServer
import Rewards
import Roles
import Testing
import Threads
import Transport

@Suite(
  .serialized,
  .enabled(if: PythonProcess.interpreter != nil, "\(PythonProcess.absence)"))
struct PythonServerTests {
  init() throws { try Compute.start() }

  /// Mean of red squared, like python/examples/redness.py.
  struct Redness: DifferentiableScorer {
    let name = "redness"
    let version = "swift"

    func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
      let size = height * width * 3
      return prompts.indices.map { picture in
        stride(from: picture * size, to: (picture + 1) * size, by: 3).reduce(0) { sum, index in
          sum + Float(images[index]) * Float(images[index]) / (255 * 255)
        } / Float(height * width)
      }
    }

    func scores(pixels: Tensor, prompts: [String]) throws -> Tensor {
      pixels.slice(axis: 3, 0..<1).squared().mean(axes: [1, 2, 3])
    }
  }

  @Test func `a Python server returns the scores and gradients of a Swift server`() throws {
    try withRouter { context, router, client in
      let server = try PythonProcess("examples/redness.py", [router.back])
      try client.requireRewards(["redness"], gradient: true)
      let pixels = Tensor((0..<5 * 48).map { Float($0) / 300 }, shape: [5, 4, 4, 3])
      let prompts = (0..<5).map { "prompt \($0) with ümlaut" }
      let found = try #require(try client.scores(of: .pixels(pixels), prompts: prompts, rewards: ["redness"]).first)
      #expect(found.error == "" && found.version == "1")
      let (scores, gradient) = try Redness().scoresAndGradient(pixels: pixels, prompts: prompts)
      for (a, b) in zip(found.values, scores) { #expect(abs((a ?? .nan) - b) < 1e-6) }
      for (a, b) in zip(found.gradient?.values ?? [], gradient.values) { #expect(abs(a - b) < 1e-6) }
      #expect(found.gradient?.shape == pixels.shape)
      let bytes = pixels.values.map { UInt8($0 * 255) }
      let images = ScoredImages.bytes(ImageBatch(count: 5, height: 4, width: 4, pixels: bytes))
      let rounded = try client.scores(of: images, prompts: prompts, rewards: ["redness"])[0].values
      let expected = try Redness().scores(images: bytes, height: 4, width: 4, prompts: prompts)
      for (a, b) in zip(rounded, expected) { #expect(abs((a ?? .nan) - (b ?? .nan)) < 1e-6) }
      #expect(server.terminate() == 0)
    }
  }

  @Test func `killing a Python or a Swift server loses no score`() throws {
    try withRouter { context, router, client in
      let python = try PythonProcess("examples/redness.py", [router.back])
      try client.requireRewards(["redness"])
      let options = ScoringOptions(
        name: "swift", reward: RewardSettings { $0.requestsAtOnce = 2 },
        network: NetworkSettings {
          $0.routerBackends = [router.back]
          $0.heartbeatInterval = 0.05
        })
      let swift = try ScoringService(context, options, logger: quiet) { [Redness()] }
      var seen = try versions(client, until: ["1", "swift"])
      #expect(seen == ["1", "swift"])
      python.kill()
      // Its open requests go to the other server.
      seen = try versions(client, until: [], rounds: 10)
      #expect(seen == ["swift"])
      let second = try PythonProcess("examples/redness.py", [router.back])
      _ = try versions(client, until: ["1"])
      swift.stop()
      try swift.join()
      seen = try versions(client, until: [], rounds: 10)
      #expect(seen == ["1"])
      #expect(second.terminate() == 0)
    }
  }

  @Test func `failing Python rewards make scores missing with their name`() throws {
    try withRouter { context, router, client in
      let server = try PythonProcess("tests/misbehaving.py", [router.back])
      let names = ["broken", "not_a_number", "nothing", "too_few"]
      try client.requireRewards(names)
      let images = ScoredImages.bytes(ImageBatch(count: 2, height: 1, width: 1, pixels: [1, 2, 3, 4, 5, 6]))
      for result in try client.scores(of: images, prompts: ["a", "b"], rewards: names) {
        #expect(result.values == [nil, nil], "\(result.reward) gave \(result.values)")
        #expect(result.error.contains(result.reward), "\(result.reward): \(result.error)")
      }
      let smooth = try client.scores(of: .pixels(Tensor.ones([1, 1, 1, 3])), prompts: ["a"], rewards: ["broken"])
      #expect(smooth[0].error.contains("the reward broken of"))
      #expect { try client.requireRewards(["broken"], gradient: true) } throws: { "\($0)".contains("broken") }
      withExtendedLifetime(server) {}
    }
  }

  @Test func `a Python reward that does not return makes scores missing at the deadline`() throws {
    try withRouter(deadline: 2) { context, router, client in
      let server = try PythonProcess("tests/misbehaving.py", [router.back])
      try client.requireRewards(["silent"])
      let images = ScoredImages.bytes(ImageBatch(count: 1, height: 1, width: 1, pixels: [1, 2, 3]))
      let result = try client.scores(of: images, prompts: ["a"], rewards: ["silent"])[0]
      #expect(result.values == [nil] && result.reward == "silent")
      #expect(result.error.contains("the deadline passed"))
      withExtendedLifetime(server) {}
    }
  }

  @Test func `a Python server with a listed key joins an encrypted router and others are refused`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-python-keys-" + UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let keys = folder.appending(path: "keys").path, others = folder.appending(path: "others").path
    try makeKeys(keys, [.router, .learner, .rewardServer])
    // The other folder has the public key of the router, but a reward server's key that the router does not know.
    try makeKeys(others, [.rewardServer])
    var list = try AllowList(file: "\(others)/\(Keyring.allowListName)")
    try list.add(#require(try AllowList(file: "\(keys)/\(Keyring.allowListName)").keys.first { $0.role == .router }))
    try list.write(to: "\(others)/\(Keyring.allowListName)")

    func context(_ role: Role) throws -> Context {
      try Context(security: Security(folder: keys, insecure: false, role: role), logger: quiet)
    }
    let router = try RouterService(
      context(.router), front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*",
      network: NetworkSettings { $0.heartbeatInterval = 0.05 }, logger: quiet)
    let refused = try PythonProcess("examples/redness.py", [router.endpoints.back, "--keys", others])
    let failure = refused.failure()
    #expect(failure.contains("\(router.endpoints.back): the router refused the key of this server"), "\(failure)")
    #expect(refused.terminate() == 1)
    let server = try PythonProcess("examples/redness.py", [router.endpoints.back, "--keys", keys])
    let network = NetworkSettings {
      $0.routers = [router.endpoints.front]
      $0.connectTimeout = 60
    }
    let client = try ScoreClient(context(.learner), network, name: "learner")
    try client.requireRewards(["redness"])
    let images = ScoredImages.bytes(ImageBatch(count: 1, height: 1, width: 1, pixels: [255, 0, 0]))
    #expect(try client.scores(of: images, prompts: ["a"], rewards: ["redness"])[0].values == [1])
    #expect(server.terminate() == 0)
    router.stop()
    try router.join()
  }

  // MARK: - Helpers

  private func makeKeys(_ folder: String, _ roles: [Role]) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var list = AllowList()
    for role in roles {
      let pair = try KeyPair()
      try pair.write(to: "\(folder)/\(role.rawValue).key")
      try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: role.rawValue))
    }
    try list.write(to: "\(folder)/\(Keyring.allowListName)")
  }

  private func withRouter(
    deadline: Double = 60, _ body: (Context, RouterService.Endpoints, ScoreClient) throws -> Void
  ) throws {
    let context = try Context()
    let router = try RouterService(
      context, front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*",
      network: NetworkSettings {
        $0.silenceLimit = 1
        $0.heartbeatInterval = 0.05
      }, logger: quiet)
    let network = NetworkSettings {
      $0.routers = [router.endpoints.front]
      $0.scoreDeadline = deadline
      $0.connectTimeout = 60
    }
    try body(context, router.endpoints, ScoreClient(context, network, name: "learner", imagesPerRequest: 2))
    router.stop()
    try router.join()
  }

  /// The versions of the scorers that answer, until all of `wanted` have answered, for at least `rounds` rounds.
  private func versions(_ client: ScoreClient, until wanted: Set<String>, rounds: Int = 1) throws -> Set<String> {
    let end = ContinuousClock.now + .seconds(60)
    var seen: Set<String> = [], count = 0
    while count < rounds || !wanted.isSubset(of: seen) {
      try #require(ContinuousClock.now < end, "only \(seen) of \(wanted) answered")
      count += 1
      // Three requests for two servers, so that the first, whose version is returned, goes to each in turn.
      let pixels = [UInt8](repeating: 255, count: 18)
      let images = ScoredImages.bytes(ImageBatch(count: 6, height: 1, width: 1, pixels: pixels))
      let result = try client.scores(of: images, prompts: [String](repeating: "a", count: 6), rewards: ["redness"])[0]
      #expect(result.values == [Float?](repeating: 1, count: 6), "\(result.error)")
      seen.insert(result.version)
    }
    return seen
  }
}
