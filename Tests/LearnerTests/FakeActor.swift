// An actor that speaks the protocol with invented groups, and a learner for it.

import Engine
import Foundation
import Learner
import Logging
import Messages
import Roles
import Settings
import Testing
import Threads
import Transport

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func policyBytes(_ version: Int, count: Int = 1000) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 + version) }
}

/// A folder for a replay, and the settings of a learner.
struct Bench {
  let folder: URL
  /// Sockets close in the background, so a second learner at the same address needs another context.
  var context: Context
  var settings: LearnerSettings

  init(groupsPerEpoch: Int = 4, epochs: Int = 3) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-learner-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    context = try Context()
    var work = WorkPlan.Settings(
      seed: 7, prompts: ["cat", "dog", "frog"], groupsPerEpoch: groupsPerEpoch, groupSize: 2, epochs: epochs)
    work.leaseDuration = .seconds(60)
    settings = LearnerSettings(
      runID: "run-1", modelHash: "model-1", seed: 7, work: work, replayFolder: folder.appending(path: "replay"))
    settings.network.learner = "inproc://learner"
    settings.network.notices = "inproc://notices"
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  func learner(
    version: Int = 0, objection: @escaping @Sendable (TrajectoryGroup) -> String? = { _ in nil }
  ) throws -> LearnerService {
    let learner = try LearnerService(context, settings, logger: quiet, objection: objection)
    try learner.publish(version: version, bytes: policyBytes(version), tensorCount: 3)
    return learner
  }

  func group(_ assignment: Assignment, actor: String = "ada", incarnation: Int = 1) -> TrajectoryGroup {
    let trajectories = (0..<assignment.groupSize).map { index in
      Trajectory(
        states: Tensor(repeating: Float(assignment.number), shape: [3, 1, 2, 2]),
        cleanStates: Tensor(repeating: Float(index), shape: [2, 1, 2, 2]), logProbabilities: [-1, -2],
        scores: [Score(step: 1, reward: "alignment", version: "1", value: 0.5)], denseRewards: [0.25, 0.5],
        anchorStep: 0)
    }
    return TrajectoryGroup(
      runID: settings.runID, number: assignment.number, epoch: assignment.epoch, actor: actor, incarnation: incarnation,
      policyVersion: assignment.policyVersion, prompt: assignment.prompt, seed: settings.seed, timesteps: [500, 1],
      eta: 1, guidanceScale: 1, trajectories: trajectories)
  }
}

func groups(_ learner: LearnerService, ofEpoch epoch: Int) -> Mailbox<Result<[TrajectoryGroup]?, any Error>> {
  let answer = Mailbox<Result<[TrajectoryGroup]?, any Error>>()
  _ = ServiceThread(name: "training") { answer.put(Result { try learner.groups(ofEpoch: epoch) }) }
  return answer
}

/// One connection to the learner. Only the thread that made it may use it.
final class FakeActor {
  let name: String
  let incarnation: Int
  private let socket: Socket
  /// Work that arrived while the test waited for another message.
  private var unread: [[Assignment]] = []

  init(_ bench: Bench, _ name: String = "ada", incarnation: Int = 1) throws {
    self.name = name
    self.incarnation = incarnation
    socket = try Self.connected(bench, "\(name)-\(incarnation)")
  }

  private static func connected(_ bench: Bench, _ identity: String) throws -> Socket {
    let socket = try Socket(bench.context, .dealer, options: SocketOptions(routingIdentity: identity))
    try socket.connect(bench.settings.network.learner, to: .learner)
    return socket
  }

  func send(_ message: Message) throws { try send(bytes: message.encode()) }

  func send(bytes: [UInt8]) throws {
    // A TCP connection is not ready at once.
    let end = ContinuousClock.now + .seconds(20)
    while try socket.send([bytes]) != .sent {
      try #require(ContinuousClock.now < end, "\(name): its messages are not taken")
      _ = try Poller().wait(for: [socket.writable], timeout: .milliseconds(100))
    }
  }

  func receive() throws -> Message {
    let frames = try #require(try socket.receive(timeout: .seconds(20)), "\(name): no message arrived")
    return try Message(decoding: try #require(frames.last), from: "the learner")
  }

  /// Whether no message arrives within 100 ms.
  func receivesNothing() throws -> Bool { try socket.receive(timeout: .milliseconds(100)) == nil }

  func hello(runID: String = "", modelHash: String = "model-1", role: Role = .actor) -> Message {
    .hello(Hello(role: role, runID: runID, modelHash: modelHash, name: name, incarnation: incarnation))
  }

  /// Sends hellos until the learner has a policy and answers with a welcome.
  @discardableResult
  func join() throws -> Welcome {
    for _ in 0..<100 {
      try send(hello())
      if let frames = try socket.receive(timeout: .milliseconds(200)), let frame = frames.last {
        let message = try Message(decoding: frame, from: "the learner")
        guard case .welcome(let welcome) = message else { throw Unexpected(message) }
        return welcome
      }
    }
    throw Unexpected(nil)
  }

  func work(capacity: Int, held: [Int] = []) throws -> [Assignment] {
    try send(.workRequest(WorkRequest(capacity: capacity, held: held)))
    return try receiveWork()
  }

  func receiveWork() throws -> [Assignment] {
    if !unread.isEmpty { return unread.removeFirst() }
    let message = try receive()
    guard case .work(let work) = message else { throw Unexpected(message) }
    return work.assignments
  }

  /// Delivers groups, and waits until all of them are acknowledged.
  func deliver(_ groups: [TrajectoryGroup]) throws {
    for group in groups { try send(.group(group)) }
    var missing = Set(groups.map(\.number))
    while !missing.isEmpty {
      switch try receive() {
      case .acknowledgement(let acknowledgement): missing.subtract(acknowledgement.numbers)
      // The answer to a work request that had to wait may arrive at any time.
      case .work(let work): if !work.assignments.isEmpty { unread.append(work.assignments) }
      case let message: throw Unexpected(message)
      }
    }
  }

  func receiveRefusal() throws -> Refusal {
    let message = try receive()
    guard case .refusal(let refusal) = message else { throw Unexpected(message) }
    return refusal
  }
}

struct Unexpected: Error, CustomStringConvertible {
  let description: String
  init(_ message: Message?) { description = message.map { "the learner sent \($0)" } ?? "the learner sent nothing" }
}
