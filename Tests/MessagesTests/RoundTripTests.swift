import Engine
import Messages
import Testing

@Suite
struct RoundTripTests {
  @Test(arguments: examples.indices)
  func `every kind of message survives a round trip`(_ index: Int) throws {
    let sent = examples[index]
    let received = try Message(decoding: sent.encode(), from: "peer")
    #expect(received.name == sent.name)
    // The bytes are compared too, because the text of a tensor has only its shape.
    #expect(received.encode() == sent.encode())
    if case .group = sent { return }
    #expect("\(received)" == "\(sent)")
  }

  @Test func `a trajectory group keeps every bit`() throws {
    let sent = exampleGroup()
    guard case .group(let received) = try Message(decoding: Message.group(sent).encode(), from: "actor-2") else {
      Issue.record("expected a message of the same kind")
      return
    }
    #expect(received.runID == sent.runID)
    #expect(received.number == sent.number)
    #expect(received.epoch == sent.epoch)
    #expect(received.actor == sent.actor)
    #expect(received.incarnation == sent.incarnation)
    #expect(received.policyVersion == sent.policyVersion)
    #expect(received.prompt == sent.prompt)
    #expect(received.seed == sent.seed)
    #expect(received.timesteps == sent.timesteps)
    #expect(received.eta == sent.eta)
    #expect(received.guidanceScale == sent.guidanceScale)
    #expect(received.rewards == ["alignment"])
    try #require(received.trajectories.count == sent.trajectories.count)
    for (one, other) in zip(received.trajectories, sent.trajectories) {
      #expect(one.states.shape == other.states.shape)
      #expect(one.states.values == other.states.values)
      #expect(one.cleanStates.shape == other.cleanStates.shape)
      #expect(one.cleanStates.values == other.cleanStates.values)
      #expect(one.logProbabilities == other.logProbabilities)
      #expect(one.scores == other.scores)
      #expect(one.denseRewards == other.denseRewards)
      #expect(one.anchorStep == other.anchorStep)
    }
  }

  @Test func `a missing score stays missing`() throws {
    var group = exampleGroup()
    group.trajectories[1] = exampleTrajectory(scored: false)
    #expect(!group.isScored)
    guard case .group(let received) = try Message(decoding: Message.group(group).encode(), from: "peer") else {
      Issue.record("expected a message of the same kind")
      return
    }
    #expect(received.trajectories[1].scores[1].value == nil)
    #expect(received.trajectories[1].denseRewards.isEmpty)
    #expect(!received.isScored)
    #expect(received.trajectories[0].isScored)
  }

  @Test func `SHA-256 matches the examples of the standard in one piece and in many`() {
    #expect(
      SHA256.digest(of: Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SHA256.digest(of: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.digest(of: Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    let million = [UInt8](repeating: 0x61, count: 1_000_000)
    #expect(
      SHA256.digest(of: million) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    var pieces = SHA256()
    for start in stride(from: 0, to: million.count, by: 977) {
      pieces.update(million[start..<min(start + 977, 1_000_000)])
    }
    #expect(pieces.digest() == SHA256.digest(of: million))
    for length in [55, 56, 63, 64, 65, 119, 120] {
      var split = SHA256()
      split.update(million[0..<length / 2])
      split.update(million[length / 2..<length])
      #expect(split.digest() == SHA256.digest(of: million[0..<length]))
    }
  }
}
