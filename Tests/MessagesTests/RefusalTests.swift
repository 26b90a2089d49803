import Engine
import Messages
import Roles
import Testing

/// The description of the error that decoding throws.
private func error(decoding bytes: [UInt8]) -> String {
  do {
    let message = try Message(decoding: bytes, from: "actor-9")
    return "no error: \(message.name)"
  } catch {
    return "\(error)"
  }
}

private func error(_ change: (inout TrajectoryGroup) -> Void) -> String {
  var group = exampleGroup()
  change(&group)
  return error(decoding: Message.group(group).encode())
}

@Suite
struct RefusalTests {
  @Test func `empty, foreign and truncated bytes are refused`() {
    #expect(
      error(decoding: [])
        == "message from actor-9, field kind: the message has no known kind; "
        + "check that the peer is of the same release of Stepwise"
    )
    #expect(error(decoding: Array("GET / HTTP/1.1\r\n\r\n".utf8)).contains("18 bytes that are none"))
    let bytes = Message.group(exampleGroup()).encode()
    #expect(error(decoding: Array(bytes.dropLast())).contains("check that the peer is Stepwise"))
  }

  @Test func `numbers that are not finite are refused with their field`() {
    #expect(
      error { $0.trajectories[1].states = Tensor(repeating: .nan, shape: [4, 2, 3, 4]) }
        == "message from actor-9, field trajectory_group.trajectories[1].states: "
        + "expected finite elements, found nan at index 0 of shape [4, 2, 3, 4]")
    #expect(
      error { $0.trajectories[0].logProbabilities[2] = .infinity }.contains(
        "trajectories[0].log_probabilities[2]: expected a finite number, found inf"))
    #expect(error { $0.trajectories[0].denseRewards[1] = .nan }.contains("dense_rewards[1]"))
    #expect(error { $0.trajectories[0].scores[1].value = -.infinity }.contains("scores[1].value"))
    #expect(error { $0.eta = .nan }.contains("trajectory_group.eta"))
    #expect(error { $0.guidanceScale = .infinity }.contains("trajectory_group.guidance_scale"))
  }

  @Test func `counts and shapes that do not match are refused`() {
    #expect(
      error { $0.trajectories[0].states = ramp([3, 2, 3, 4]) }.contains(
        "trajectories[0].states: expected shape [4, 2, 3, 4] for clean states of shape [3, 2, 3, 4], found [3, 2, 3"))
    #expect(
      error { $0.trajectories[1] = exampleTrajectory(steps: 2) }.contains("expected the shape of the first trajectory"))
    #expect(error { $0.timesteps = [1, 2] }.contains("timesteps: expected 3, one per step, found 2"))
    #expect(error { $0.trajectories = [] }.contains("trajectories: expected 1 to 1024, found 0"))
    #expect(error { $0.trajectories[0].anchorStep = 3 }.contains("anchor_step: expected a number in 0...2, found 3"))
    #expect(error { $0.trajectories[0].scores[0].step = 3 }.contains("scores: expected steps below 3, found 3"))
    #expect(error { $0.trajectories[0].denseRewards = [1] }.contains("dense_rewards: expected 3 or none, found 1"))
    #expect(error { $0.trajectories[0].logProbabilities = [] }.contains("log_probabilities: expected 3, found 0"))
    #expect(error { $0.trajectories[0].states = ramp([4, 24]) }.contains("states: expected 4 axes, found 2"))
    #expect(error { $0.runID = "" }.contains("run_id: expected a text, found an empty one"))
  }

  @Test func `a shape whose size overflows allocates nothing`() {
    // score_request { images { data_type: UINT8 shape: [2^32 - 1] * 4 values: "" } }
    let extent: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F]
    let shape = extent + extent + extent + extent
    let tensor: [UInt8] = [0x08, 2, 0x12, UInt8(shape.count)] + shape
    let request: [UInt8] = [0x22, UInt8(tensor.count)] + tensor
    #expect(error(decoding: [0x72, UInt8(request.count)] + request).contains("exceeds the address space"))
  }

  @Test func `bytes that would unpack to much more memory are refused`() {
    // work { assignments {} } a million times: 2 bytes each, and at least 72 bytes unpacked.
    let count = 1 << 20
    var work: [UInt8] = []
    for _ in 0..<count { work += [0x0A, 0] }
    var length = work.count
    var encodedLength: [UInt8] = []
    while length > 127 {
      encodedLength.append(UInt8(length & 127) | 128)
      length >>= 7
    }
    encodedLength.append(UInt8(length))
    #expect(error(decoding: [0x3A] + encodedLength + work).contains("would unpack to more memory"))
  }

  @Test func `a malformed digest and bytes beyond the total of a policy are refused`() {
    let notice = PolicyNotice(version: 1, digest: "abc", tensorCount: 1)
    #expect(error(decoding: Message.policyNotice(notice).encode()).contains("expected 64 hexadecimal digits"))
    let chunk = PolicyChunk(version: 1, offset: 2, bytes: [1, 2], total: 3, digest: exampleDigest)
    #expect(
      error(decoding: Message.policyChunk(chunk).encode()).contains(
        "expected bytes within a total of 3, found 2 at offset 2"))
  }

  @Test func `a score request with missing prompts or rewards is refused`() {
    var request = ScoreRequest(id: 1, rewards: ["a"], prompts: ["x"], images: .bytes(exampleImages), deadline: 5)
    #expect(
      error(decoding: Message.scoreRequest(request).encode()).contains("prompts: expected 2, one per image, found 1"))
    request.prompts = ["x", "y"]
    request.rewards = []
    #expect(error(decoding: Message.scoreRequest(request).encode()).contains("expected at least one reward"))
    request = ScoreRequest(
      id: 1, rewards: ["a"], prompts: ["x", "y"], images: .pixels(ramp([2, 2, 3, 3])), deadline: 5,
      positions: [GroupPosition(trajectory: 0, step: 0), GroupPosition(trajectory: 1, step: 0)])
    request.positions.removeLast()
    #expect(error(decoding: Message.scoreRequest(request).encode()).contains("found 1 for 1 steps and 2 images"))
    request.positions = []
    request.images = .pixels(Tensor(repeating: .nan, shape: [2, 2, 3, 3]))
    #expect(error(decoding: Message.scoreRequest(request).encode()).contains("images: expected finite elements"))
    request.images = .pixels(ramp([2, 2, 3, 4]))
    #expect(error(decoding: Message.scoreRequest(request).encode()).contains("expected 3 channels in the last axis"))
  }

  @Test func `excessive counts are refused`() {
    var request = ScoreRequest(
      id: 1, rewards: (0..<257).map { "r\($0)" }, prompts: ["x", "y"], images: .bytes(exampleImages), deadline: 5)
    #expect(error(decoding: Message.scoreRequest(request).encode()).contains("expected at most 256, found 257"))
    request.rewards = ["a"]
    request.prompts = [String](repeating: "x", count: 65_537)
    #expect(error(decoding: Message.scoreRequest(request).encode()).contains("would unpack to more memory"))
    let result = ScoreResult(reward: "a", version: "", values: [Float?](repeating: 1, count: 65_537))
    #expect(error(decoding: Message.scoreReply(ScoreReply(id: 1, results: [result])).encode()).contains("found 65537"))
    let work = WorkRequest(capacity: 65_537, held: [])
    #expect(error(decoding: Message.workRequest(work).encode()).contains("capacity: expected a number in 0...65536"))
  }

  @Test func `a score or a gradient that is not finite is a missing score and leaves the others valid`() throws {
    var gradient = ramp([3, 1, 1, 3]).values
    gradient[7] = .infinity
    let sent = ScoreResult(
      reward: "taste", version: "1", values: [.nan, 0.5, 0.25], gradient: Tensor(gradient, shape: [3, 1, 1, 3]))
    let message = try Message(decoding: Message.scoreReply(ScoreReply(id: 1, results: [sent])).encode(), from: "server")
    guard case .scoreReply(let reply) = message else {
      Issue.record("another kind came back")
      return
    }
    #expect(reply.results[0].values == [nil, 0.5, nil])
    #expect(reply.results[0].error == "taste: expected finite numbers, found others for image 0, 2")
    #expect(reply.results[0].gradient?.values == [0, 0, 0, 0.375, 0.5, 0.625, 0, 0, 0])
  }

  @Test func `a hello of another protocol version, role, run or model is refused with both values`() {
    var hello = Hello(role: .actor, runID: "a", modelHash: "m", name: "actor-9", incarnation: 1)
    func mismatch() -> String { hello.mismatch(runID: "a", modelHash: "m", roles: [.actor, .tool]) ?? "none" }
    #expect(mismatch() == "none")
    hello.runID = ""
    #expect(mismatch() == "none")
    hello.runID = "b"
    #expect(mismatch().hasPrefix("actor-9 belongs to run b, expected a;"))
    hello.runID = "a"
    hello.modelHash = "n"
    #expect(mismatch().hasPrefix("actor-9 has the model n, expected m;"))
    hello.role = .router
    #expect(mismatch().hasPrefix("actor-9 has the role router, expected actor or tool;"))
    hello.protocolVersion = 1
    #expect(mismatch().hasPrefix("actor-9 uses protocol version 1, expected 2;"))
  }
}
