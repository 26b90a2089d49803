// The two measurements of `stepwise bench replay`: groups into a learner's service, and groups out of a replay.

import ArgumentParser
import Basics
import Configuration
import Engine
import Foundation
import Roles
import Supervision
import Learner
import Messages
import Replay
import Synchronization
import Threads
import Transport

/// The groups that are stored: of few different contents, so that making them takes a writer little time, random, as
/// states are mostly noise, and each told from all others by its number.
struct BenchGroups {
  static let modelHash = "bench"
  private static let contents = 16

  private let states: [(states: Tensor, cleanStates: Tensor)]

  /// - Parameter bytes: of a group's states.
  init(bytes: Int) {
    states = (0..<Self.contents).map { number in
      var random = RandomStream(seed: UInt64(number)).fork("bench")
      return (random.normal([2, 1, 1, bytes / 12]), random.normal([1, 1, 1, bytes / 12]))
    }
  }

  func group(_ number: Int) -> TrajectoryGroup {
    let content = states[number % Self.contents]
    let trajectory = Trajectory(
      states: content.states, cleanStates: content.cleanStates, logProbabilities: [-1],
      scores: [Score(step: 0, reward: "bench", version: "1", value: 1)], denseRewards: [1], anchorStep: 0)
    return TrajectoryGroup(
      runID: "bench", number: number, epoch: 0, actor: "bench", incarnation: 1, policyVersion: 0, prompt: "cat",
      seed: 1, timesteps: [1], eta: 1, guidanceScale: 1, trajectories: [trajectory])
  }

  /// Whether a group is what was made under its number: the sizes, and the ends of its tensors.
  func isRight(_ group: TrajectoryGroup) -> Bool {
    guard let trajectory = group.trajectories.first, group.trajectories.count == 1 else { return false }
    let expected = states[group.number % Self.contents]
    func agree(_ found: Tensor, _ made: Tensor) -> Bool {
      found.shape == made.shape && found.unsafeBuffer.first == made.unsafeBuffer.first
        && found.unsafeBuffer.last == made.unsafeBuffer.last
    }
    return agree(trajectory.states, expected.states) && agree(trajectory.cleanStates, expected.cleanStates)
  }
}

/// Groups from writers into a learner's service.
struct ReplayInsertion {
  enum Connection: String, ExpressibleByArgument { case plain, curve }
  /// Who has a group when it is acknowledged.
  enum Promise: String, ExpressibleByArgument { case memory, system, disk }

  let groupBytes: Int
  let connection: Connection
  let promise: Promise
  let writers: Int
  let inFlight: Int
  /// Bytes of a segment, which are sealed beside the insertion; nil: nothing is sealed.
  var segmentBytes: Int?

  /// No more than 4 GiB: it is the rate that is asked for.
  private var most: Int { (4 << 30) / groupBytes }

  /// - Parameter folder: new; where the replay will lie.
  /// - Throws: when a group is not acknowledged within 20 s, or is not stored as it was made.
  func measure(in folder: URL, seconds: Double) throws -> ReplayMeasurement {
    let keys = connection == .curve ? try makeKeys(folder.appending(path: "keys")) : nil
    var work = WorkPlan.Settings(seed: 1, prompts: ["cat"], groupsPerEpoch: 1 << 30, groupSize: 1, epochs: 1)
    work.leaseDuration = .seconds(600)
    var settings = LearnerSettings(
      runID: "bench", modelHash: BenchGroups.modelHash, seed: 1, work: work,
      replayFolder: folder.appending(path: "replay"))
    // Sealing is another work than inserting, and comes later where it is not asked for.
    settings.replay = ReplaySettings {
      $0.segmentGroups = 1 << 30
      $0.segmentBytes = segmentBytes ?? 1 << 40
      $0.maximumTrajectories = 1 << 40
      $0.maximumBytes = 1 << 40
      $0.waitsForDisk = promise == .disk
    }
    settings.network.learner = "tcp://127.0.0.1:*"
    settings.network.notices = "tcp://127.0.0.1:*"
    let learner = try LearnerService(context(keys, .learner), settings, logger: quiet)
    try learner.publish(version: 0, bytes: [1], tensorCount: 1)
    let next = Atomic(0)
    let count = Atomic(0)
    let slowest = Mutex((seconds: 0.0, pause: 0.0))
    try withExtendedLifetime(learner) {
      let threads = try (0..<writers).map { index in
        let context = try context(keys, .actor)
        return ServiceThread(name: "writer") {
          let mine = try write(index, context, learner.addresses.learner, next, seconds: seconds)
          count.add(mine.acknowledged, ordering: .relaxed)
          slowest.withLock { $0 = (max($0.seconds, mine.seconds), max($0.pause, mine.longestPause)) }
        }
      }
      for thread in threads { try thread.join() }
    }
    try learner.end()
    let acknowledged = count.load(ordering: .relaxed)
    let verified = try verify(settings.replayFolder)
    guard verified >= acknowledged else {
      throw CommandError("bench replay: expected the \(acknowledged) acknowledged groups, found \(verified) stored")
    }
    let (length, pause) = slowest.withLock { $0 }
    let rate = Double(acknowledged) / length
    return ReplayMeasurement(
      operation: "insert", bytes: groupBytes, writers: writers, inFlight: inFlight, connection: connection.rawValue,
      acknowledged: promise.rawValue, segmentBytes: segmentBytes, longestPause: pause.rounded(toPlaces: 4),
      itemsPerSecond: rate.rounded(toPlaces: 1),
      mbPerSecond: (rate * Double(groupBytes) / 1e6).rounded(toPlaces: 1), verified: verified)
  }

  /// One writer, until the time is up and all it sent is acknowledged.
  private func write(
    _ index: Int, _ context: Context, _ endpoint: String, _ next: borrowing Atomic<Int>, seconds: Double
  ) throws -> (acknowledged: Int, seconds: Double, longestPause: Double) {
    let socket = try Socket(context, .dealer, options: SocketOptions(routingIdentity: "bench-\(index)-1"))
    try socket.connect(endpoint, to: .learner)
    let hello = Message.hello(
      Hello(role: .actor, runID: "", modelHash: BenchGroups.modelHash, name: "bench-\(index)", incarnation: 1)).encode()
    var isWelcome = false
    while !isWelcome {
      try untilSent(by: socket) { try socket.send([hello]) }
      if let frame = try socket.receive(timeout: .milliseconds(200))?.last,
        case .welcome = try Message(decoding: frame, from: "learner") { isWelcome = true }
    }
    let groups = BenchGroups(bytes: groupBytes)
    var sent = 0, acknowledged = 0
    func deliver() throws {
      let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
      let frame = Message.group(groups.group(number)).withEncoding(Frame.init)
      try untilSent(by: socket) { try socket.send(frame) }
      sent += 1
    }
    let start = ContinuousClock.now
    var last = start, longestPause = 0.0
    for _ in 0..<inFlight { try deliver() }
    while acknowledged < sent {
      guard let frame = try socket.receive(timeout: .seconds(20))?.last else {
        throw CommandError("bench replay: expected an acknowledgement within 20 s, found none")
      }
      switch try Message(decoding: frame, from: "learner") {
      case .acknowledgement(let acknowledgement):
        acknowledged += acknowledgement.numbers.count
        let now = ContinuousClock.now
        longestPause = max(longestPause, (now - last).seconds)
        last = now
        for _ in acknowledgement.numbers
        where (ContinuousClock.now - start).seconds < seconds && sent < most / writers { try deliver() }
      case .refusal(let refusal): throw CommandError("bench replay: \(refusal.reason)")
      default: break
      }
    }
    return (acknowledged, (ContinuousClock.now - start).seconds, longestPause)
  }

  /// Opens the replay as after a restart, and reads every group.
  private func verify(_ replay: URL) throws -> Int {
    let store = try ReplayStore(reading: replay)
    guard store.damage.isEmpty else { throw CommandError("bench replay: \(store.damage[0])") }
    let groups = BenchGroups(bytes: groupBytes)
    return try store.entries.count { groups.isRight(try store.group($0.number)) }
  }

  private func context(_ keys: String?, _ role: Role) throws -> Context {
    guard let keys else { return try Context() }
    return try Context(ioThreads: 2, security: Security(folder: keys, insecure: false, role: role), logger: quiet)
  }

  private func makeKeys(_ folder: URL) throws -> String {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var list = AllowList()
    for role in [Role.learner, .actor] {
      let pair = try KeyPair()
      try pair.write(to: "\(folder.path)/\(role.rawValue).key")
      try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: role.rawValue))
    }
    try list.write(to: "\(folder.path)/\(Keyring.allowListName)")
    return folder.path
  }
}

/// Groups drawn at random from a replay by the process that keeps it, as the learner does.
struct ReplaySampling {
  /// Where a group lies that is drawn.
  enum Source: String, CaseIterable { case memory, journal, segments }

  let groupBytes: Int
  let source: Source

  /// - Throws: when a group that is drawn is not what was made.
  func measure(in folder: URL, seconds: Double) throws -> ReplayMeasurement {
    // As many as the peers keep.
    let kept = (1 << 30) / groupBytes
    let groups = BenchGroups(bytes: groupBytes)
    let store = try open(folder)
    try fill(store, kept, groups)
    if source == .segments { try store.seal() }
    var random = RandomStream(seed: 1)
    var count = 0
    let start = ContinuousClock.now
    while (ContinuousClock.now - start).seconds < seconds {
      for group in try store.sample(min(16, store.count), from: &random) {
        guard groups.isRight(group) else {
          throw CommandError("bench replay: group \(group.number) is not what was stored")
        }
        count += 1
      }
    }
    let rate = Double(count) / (ContinuousClock.now - start).seconds
    return ReplayMeasurement(
      operation: "sample", bytes: groupBytes, samplers: 1, source: source.rawValue,
      itemsPerSecond: rate.rounded(toPlaces: 1), mbPerSecond: (rate * Double(groupBytes) / 1e6).rounded(toPlaces: 1),
      verified: count)
  }

  /// Opens a replay whose journal holds so many mebibytes, as a learner does that was killed.
  ///
  /// - Throws: when a group that is there afterwards is not what was made.
  func recover(in folder: URL, megabytes: Int) throws -> ReplayMeasurement {
    let count = (megabytes << 20) / groupBytes
    let groups = BenchGroups(bytes: groupBytes)
    do { try fill(open(folder), count, groups) }
    let start = ContinuousClock.now
    let store = try open(folder)
    let seconds = (ContinuousClock.now - start).seconds
    let verified = try store.entries.count { groups.isRight(try store.group($0.number)) }
    guard verified == count else { throw CommandError("bench replay: expected \(count) groups, found \(verified)") }
    let rate = Double(count) / seconds
    return ReplayMeasurement(
      operation: "recover", bytes: groupBytes, source: source.rawValue, seconds: seconds.rounded(toPlaces: 3),
      itemsPerSecond: rate.rounded(toPlaces: 1), mbPerSecond: (rate * Double(groupBytes) / 1e6).rounded(toPlaces: 1),
      verified: verified)
  }

  private func open(_ folder: URL) throws -> ReplayStore {
    try ReplayStore(
      folder: folder.appending(path: "replay"),
      origin: ReplayOrigin(runID: "bench", modelHash: "bench", configuration: ""),
      settings: ReplaySettings {
        $0.segmentGroups = 1 << 30
        $0.segmentBytes = 1 << 40
        $0.maximumTrajectories = 1 << 40
        $0.maximumBytes = 1 << 40
        $0.waitsForDisk = false
        $0.cacheBytes = source == .memory ? 2 << 30 : 0
      })
  }

  private func fill(_ store: ReplayStore, _ count: Int, _ groups: BenchGroups) throws {
    for number in 0..<count {
      let bytes = Message.group(groups.group(number)).encode()
      // As it would be when it had come from an actor: memory of its own.
      guard case .group(let group) = try Message(decoding: bytes, from: "bench") else { continue }
      try store.append(group, bytes: bytes)
    }
  }
}
