// Insertion into the replay of a learner, as `stepwise-bench replay` measures it.

import ArgumentParser
import Basics
import Configuration
import Foundation
import Learner
import Messages
import Replay
import Roles
import Supervision
import Synchronization
import Threads
import Transport

struct ReplayInsertion {
  enum Connection: String, ExpressibleByArgument { case plain, curve }
  /// Where a group is stored when it is acknowledged.
  enum Promise: String, ExpressibleByArgument { case memory, system, disk }

  let groupBytes: Int
  let connection: Connection
  let promise: Promise
  let writers: Int
  let inFlight: Int
  /// Bytes per segment; nil seals no segment.
  var segmentBytes: Int?

  /// Groups of 4 GiB in total, which bounds the disk space.
  private var maximumGroups: Int { (4 << 30) / groupBytes }

  /// - Parameter folder: a new folder for the replay.
  /// - Throws: when a group is not acknowledged within 20 s, or not stored unchanged.
  func measure(in folder: URL, seconds: Double) throws -> ReplayMeasurement {
    let keys = connection == .curve ? try makeKeys(folder.appending(path: "keys")) : nil
    var work = WorkPlan.Settings(seed: 1, prompts: ["cat"], groupsPerEpoch: 1 << 30, groupSize: 1, epochs: 1)
    work.leaseDuration = .seconds(600)
    var settings = LearnerSettings(
      runID: "bench", modelHash: BenchGroups.modelHash, seed: 1, work: work,
      replayFolder: folder.appending(path: "replay"))
    // Without `segmentBytes`, sealing is not part of the measurement.
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
      throw CommandError("\(acknowledged) groups were acknowledged, but only \(verified) are stored")
    }
    let (length, pause) = slowest.withLock { $0 }
    let rate = Double(acknowledged) / length
    return ReplayMeasurement(
      operation: "insert", bytes: groupBytes, writers: writers, inFlight: inFlight, connection: connection.rawValue,
      acknowledged: promise.rawValue, segmentBytes: segmentBytes, longestPause: pause.rounded(toPlaces: 4),
      itemsPerSecond: rate.rounded(toPlaces: 1),
      mbPerSecond: (rate * Double(groupBytes) / 1e6).rounded(toPlaces: 1), verified: verified)
  }

  /// Runs one writer until the time is up and all its groups are acknowledged.
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
        throw CommandError("the learner did not acknowledge a group within 20 s")
      }
      switch try Message(decoding: frame, from: "learner") {
      case .acknowledgement(let acknowledgement):
        acknowledged += acknowledgement.numbers.count
        let now = ContinuousClock.now
        longestPause = max(longestPause, (now - last).seconds)
        last = now
        for _ in acknowledgement.numbers
        where (ContinuousClock.now - start).seconds < seconds && sent < maximumGroups / writers { try deliver() }
      case .refusal(let refusal): throw CommandError("the learner refused a group: \(refusal.reason)")
      default: break
      }
    }
    return (acknowledged, (ContinuousClock.now - start).seconds, longestPause)
  }

  /// Opens the replay as after a restart, and counts the groups that are unchanged.
  private func verify(_ replay: URL) throws -> Int {
    let store = try ReplayStore(reading: replay)
    guard store.damage.isEmpty else { throw CommandError("the replay is damaged: \(store.damage[0])") }
    let groups = BenchGroups(bytes: groupBytes)
    return try store.entries.count { groups.isUnchanged(try store.group($0.number)) }
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
