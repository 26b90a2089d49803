// An actor that fills its groups with random numbers, and records for each one whether it was attempted or
// acknowledged, as Jepsen does.

import Configuration
import Diffusion
import Engine
import Foundation
import Messages
import Models
import Roles
import Synchronization
import Threads
import Transport

/// The properties of groups that the learner accepts.
struct GroupTerms: Sendable {
  let timesteps: [Int]
  let shape: [Int]
  let eta: Float
  let seed: UInt64

  init(_ bench: FaultBench) throws {
    let folder = URL(filePath: bench.configuration.run.model)
    eta = bench.configuration.sampling.eta
    seed = bench.configuration.run.seed
    timesteps = try DDIM(
      schedule: NoiseSchedule(folder: folder), steps: bench.configuration.sampling.steps, eta: eta).timesteps
    shape = try TextToImageModel(folder: folder).latentShape
  }

  /// A group whose content follows from its number.
  func group(_ assignment: Assignment, runID: String, actor: String, incarnation: Int) -> TrajectoryGroup {
    var random = RandomStream(seed: UInt64(assignment.number)).fork("group")
    let steps = timesteps.count
    // The trajectories of a group share their initial noise.
    let initial = random.normal([1] + shape)
    let trajectories = (0..<assignment.groupSize).map { _ in
      Trajectory(
        states: Tensor.concatenated([initial, random.normal([steps] + shape)], axis: 0),
        cleanStates: random.normal([steps] + shape),
        logProbabilities: random.normal([steps]).values,
        scores: [Score(step: steps - 1, reward: "jpeg-compressibility", version: "1", value: 0.5)],
        denseRewards: random.normal([steps]).values, anchorStep: 0)
    }
    return TrajectoryGroup(
      runID: runID, number: assignment.number, epoch: assignment.epoch, actor: actor, incarnation: incarnation,
      policyVersion: assignment.policyVersion, prompt: assignment.prompt, seed: seed, timesteps: timesteps, eta: eta,
      guidanceScale: 1, trajectories: trajectories)
  }
}

final class Account: Sendable {
  struct State {
    var attempted: [Int: String] = [:]
    var acknowledged: Set<Int> = []
    /// Refusals that an actor did not expect.
    var surprises: [String] = []
  }
  private let state = Mutex(State())

  func note(_ body: (inout sending State) -> Void) { state.withLock { body(&$0) } }
  var now: State { state.withLock { $0 } }
}

/// Inserts groups until it is stopped, over any number of restarts of the learner.
struct InsertingActor: Sendable {
  let name: String
  let endpoint: String
  let terms: GroupTerms
  let account: Account
  let stop: StopFlag

  func run() throws {
    let context = try Context()
    let socket = try Socket(context, .dealer, options: SocketOptions(routingIdentity: "\(name)-1"))
    try socket.connect(endpoint)
    var welcome: Welcome?
    var unacknowledged: [Int: [UInt8]] = [:]
    func send(_ message: Message) throws { _ = try socket.send([message.encode()]) }
    while !stop.isSet {
      if welcome != nil, unacknowledged.isEmpty {
        try send(.workRequest(WorkRequest(capacity: 8, held: [])))
      }
      guard let frames = try socket.receive(timeout: .milliseconds(250)), let frame = frames.last else {
        // Perhaps the learner has started again. Groups without an answer are delivered again.
        try send(.hello(Hello(role: .actor, name: name, incarnation: 1)))
        for bytes in unacknowledged.values where welcome != nil { _ = try socket.send([bytes]) }
        continue
      }
      switch try Message(decoding: frame, from: "the learner") {
      case .welcome(let found):
        welcome = found
        for bytes in unacknowledged.values { _ = try socket.send([bytes]) }
      case .work(let work):
        guard let welcome else { continue }
        for assignment in work.assignments where unacknowledged[assignment.number] == nil {
          let group = terms.group(assignment, runID: welcome.runID, actor: name, incarnation: 1)
          let bytes = Message.group(group).encode()
          account.note { $0.attempted[group.number] = SHA256.digest(of: bytes) }
          unacknowledged[group.number] = bytes
          _ = try socket.send([bytes])
        }
      case .acknowledgement(let acknowledgement):
        for number in acknowledgement.numbers where unacknowledged.removeValue(forKey: number) != nil {
          account.note { $0.acknowledged.insert(number) }
        }
      case .refusal(let refusal) where refusal.reason.contains("expected a Hello"):
        try send(.hello(Hello(role: .actor, name: name, incarnation: 1)))
      case .refusal(let refusal): account.note { $0.surprises.append(refusal.reason) }
      case .runFinished: try send(.goodbye(Goodbye(reason: "the run has finished")))
      default: break
      }
    }
  }
}
