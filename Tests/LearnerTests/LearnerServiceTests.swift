import Engine
import Foundation
import Learner
import Messages
import Replay
import Roles
import Settings
import Testing
import Threads
import Transport

@Suite struct LearnerServiceTests {
  @Test func `an epoch is assigned, stored, acknowledged, and given to training in order`() throws {
    let bench = try Bench()
    defer { bench.remove() }
    let learner = try bench.learner()
    let wanted = groups(learner, ofEpoch: 0)
    let ada = try FakeActor(bench)
    let ben = try FakeActor(bench, "ben")
    let welcome = try ada.join()
    #expect(welcome.runID == "run-1" && welcome.runSeed == 7)
    #expect(welcome.policy == PolicyNotice(version: 0, bytes: policyBytes(0), tensorCount: 3))
    try ben.join()
    let first = try ada.work(capacity: 3)
    let second = try ben.work(capacity: 3)
    #expect(first.map(\.number) == [0, 1, 2])
    #expect(second.map(\.number) == [3])
    #expect(try ben.work(capacity: 2, held: [3]).isEmpty)
    try ben.deliver(second.map { bench.group($0, actor: "ben") })
    try ada.deliver(first.reversed().map { bench.group($0) })
    // A second delivery, as after a lost acknowledgement.
    try ada.deliver([bench.group(first[1])])
    let received = try #require(try wanted.take(timeout: .seconds(20))?.get())
    #expect(received.map(\.number) == [0, 1, 2, 3])
    #expect(received.map(\.actor) == ["ada", "ada", "ada", "ben"])

    // After the next policy an actor that waits receives work without asking again.
    try learner.publish(version: 1, bytes: policyBytes(1), tensorCount: 3)
    let next = try ben.receiveWork()
    #expect(next.map(\.number) == [4, 5])
    #expect(next.allSatisfy { $0.policyVersion == 1 && $0.epoch == 1 })
    let end = ServiceThread(name: "training") { try learner.finish("enough") }
    for actor in [ada, ben] {
      let message = try actor.receive()
      guard case .runFinished(let finished) = message else { throw Unexpected(message) }
      #expect(finished.reason == "enough")
      #expect(!learner.hasEnded)
      try actor.send(.goodbye(Goodbye()))
    }
    try end.join()
    let store = try ReplayStore(reading: bench.settings.replayFolder)
    #expect(store.entries.map(\.number) == [0, 1, 2, 3])
    #expect(store.verify().isEmpty)
  }

  @Test func `a foreign peer or group is refused with the reason, and the learner keeps serving`() throws {
    let bench = try Bench()
    defer { bench.remove() }
    let learner = try bench.learner()
    let ada = try FakeActor(bench)
    try ada.send(.workRequest(WorkRequest(capacity: 1)))
    #expect(try ada.receiveRefusal().reason == "expected a Hello first, found work_request")
    try ada.send(bytes: Array("rubbish".utf8))
    #expect(try ada.receiveRefusal().reason.contains("message from ada-1"))
    try ada.send(ada.hello(modelHash: "model-2"))
    #expect(try ada.receiveRefusal().reason.contains("has the model model-2, expected model-1"))
    try ada.send(ada.hello(runID: "run-2"))
    #expect(try ada.receiveRefusal().reason.contains("belongs to run run-2, expected run-1"))
    try ada.send(ada.hello(role: .router))
    #expect(try ada.receiveRefusal().reason.contains("has the role router, expected actor"))
    try ada.join()

    let assignment = try ada.work(capacity: 1)[0]
    var foreign = bench.group(assignment)
    foreign.runID = "run-0"
    try ada.send(.group(foreign))
    #expect(try ada.receiveRefusal() == Refusal(reason: "group 0: expected run run-1, found run-0", numbers: [0]))
    var wrong = bench.group(assignment)
    wrong.prompt = "cow"
    try ada.send(.group(wrong))
    #expect(try ada.receiveRefusal().numbers == [0])
    try ada.deliver([bench.group(assignment)])
    try learner.end()
    #expect(try ReplayStore(reading: bench.settings.replayFolder).count == 1)
  }

  @Test func `a group that cannot be trained on ends its actor, and its work goes to another actor`() throws {
    let bench = try Bench()
    defer { bench.remove() }
    let learner = try bench.learner { $0.actor == "ada" ? "other timesteps" : nil }
    let ada = try FakeActor(bench)
    let ben = try FakeActor(bench, "ben")
    try ada.join()
    try ben.join()
    let assignments = try ada.work(capacity: 4)
    #expect(try ben.work(capacity: 4).isEmpty)
    try ada.send(.group(bench.group(assignments[0])))
    #expect(try ada.receiveRefusal() == Refusal(reason: "other timesteps", numbers: [0]))
    #expect(try ada.receiveRefusal() == Refusal(reason: "other timesteps"))
    try ada.send(ada.hello())
    #expect(try ada.receiveRefusal() == Refusal(reason: "other timesteps"))
    #expect(try ben.receiveWork() == assignments)
    try learner.end()
  }

  @Test func `the work of an actor that leaves, falls silent or starts again goes to another actor`() throws {
    var bench = try Bench()
    bench.settings.network.silenceLimit = 0.7
    defer { bench.remove() }
    let learner = try bench.learner()
    let ada = try FakeActor(bench)
    let ben = try FakeActor(bench, "ben")
    try ada.join()
    try ben.join()
    let assignments = try ada.work(capacity: 4)
    #expect(try ben.work(capacity: 4).isEmpty)
    // Ada leaves with a goodbye.
    try ada.send(.goodbye(Goodbye(reason: "SIGTERM")))
    #expect(try ben.receiveWork() == assignments)
    // Ben falls silent; Cy, who asks again, gets his work.
    let cy = try FakeActor(bench, "cy")
    try cy.join()
    var work = try cy.work(capacity: 4)
    for _ in 0..<200 where work.isEmpty {
      try cy.send(.heartbeat(Heartbeat()))
      if try !cy.receivesNothing() { work = try cy.work(capacity: 4) }
    }
    if work.isEmpty { work = try cy.work(capacity: 4) }
    #expect(work == assignments)
    // Cy starts again: the new incarnation gets the work, and the old one is refused.
    let again = try FakeActor(bench, "cy", incarnation: 2)
    try again.join()
    #expect(try again.work(capacity: 4) == assignments)
    try cy.send(cy.hello())
    #expect(try cy.receiveRefusal().reason.contains("has started again as incarnation 2"))
    try learner.end()
  }

  @Test func `policies arrive in chunks as announced, and a request for an old policy settles its work`() throws {
    var bench = try Bench()
    bench.settings.network.policyChunkBytes = 300
    defer { bench.remove() }
    let learner = try bench.learner()
    let ada = try FakeActor(bench)
    let notice = try ada.join().policy
    var bytes: [UInt8] = []
    while bytes.count < 1000 {
      try ada.send(.policyRequest(PolicyRequest(version: 0, offset: bytes.count, byteCount: 1 << 20)))
      let message = try ada.receive()
      guard case .policyChunk(let chunk) = message else { throw Unexpected(message) }
      #expect(chunk.offset == bytes.count && chunk.total == 1000 && chunk.digest == notice.digest)
      #expect(chunk.bytes.count <= 300)
      bytes += chunk.bytes
    }
    #expect(SHA256.digest(of: bytes) == notice.digest)
    let subscriber = try Socket(bench.context, .subscriber)
    try subscriber.subscribe()
    try subscriber.connect(bench.settings.network.notices)
    var version = 1
    var heard: [[UInt8]]?
    // A subscription takes effect some time after it is made.
    while heard == nil, version < 100 {
      try learner.publish(version: version, bytes: policyBytes(version), tensorCount: 3)
      heard = try subscriber.receive(timeout: .milliseconds(100))
      version += 1
    }
    guard case .policyNotice(let announced) = try Message(decoding: try #require(heard?.last), from: "notices") else {
      Issue.record("expected a policy notice")
      return
    }
    #expect(
      announced == PolicyNotice(version: announced.version, bytes: policyBytes(announced.version), tensorCount: 3))
    try learner.publish(version: 200, bytes: policyBytes(1), tensorCount: 3)
    try ada.send(.policyRequest(PolicyRequest(version: 0, offset: 0, byteCount: 10)))
    let refusal = try ada.receiveRefusal()
    #expect(refusal.reason.contains("policy 0 from byte 0 is no longer kept"))
    #expect(refusal.numbers == [0, 1, 2, 3])
    try learner.end()
  }

  @Test func `after a restart stored groups are not sampled again, and another configuration is refused`() throws {
    var bench = try Bench()
    defer { bench.remove() }
    var kept: [Assignment] = []
    do {
      let learner = try bench.learner()
      let ada = try FakeActor(bench)
      try ada.join()
      kept = try ada.work(capacity: 4)
      try ada.deliver(kept.prefix(3).map { bench.group($0) })
      try learner.end()
    }
    bench.context = try Context()
    do {
      let learner = try bench.learner()
      let wanted = groups(learner, ofEpoch: 0)
      let ada = try FakeActor(bench, incarnation: 2)
      try ada.join()
      #expect(try ada.work(capacity: 4) == [kept[3]])
      // The acknowledgement of group 2 was lost with the first learner.
      try ada.deliver([bench.group(kept[2]), bench.group(kept[3], incarnation: 2)])
      let received = try #require(try wanted.take(timeout: .seconds(20))?.get())
      #expect(received.map(\.number) == [0, 1, 2, 3])
      #expect(received.map(\.incarnation) == [1, 1, 1, 2])
      try learner.end()
    }
    bench.context = try Context()
    bench.settings.work.prompts = ["cow"]
    #expect { _ = try bench.learner() } throws: {
      "\($0)".contains("was sampled with another configuration: expected prompt")
    }
  }

  @Test func `a stop ends the waiting for groups, and a service that cannot start says why`() throws {
    let bench = try Bench()
    defer { bench.remove() }
    let learner = try bench.learner()
    let waiting = groups(learner, ofEpoch: 0)
    // The folder and the endpoint are in use.
    #expect { _ = try bench.learner() } throws: { ($0 as? ReplayError)?.kind == .locked }
    var other = bench
    other.settings.replayFolder = bench.folder.appending(path: "other")
    #expect { _ = try other.learner() } throws: { ($0 as? TransportError)?.kind == .addressInUse }
    learner.stop()
    let answer = try #require(waiting.take(timeout: .seconds(20)))
    #expect(try answer.get()?.count == nil)
    #expect(try learner.groups(ofEpoch: 1)?.count == nil)
    // Actors are served until the end.
    let ada = try FakeActor(bench)
    try ada.join()
    #expect(try ada.work(capacity: 1).count == 1)
    try learner.end()
  }
}
