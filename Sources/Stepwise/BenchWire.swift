// `stepwise bench wire`: what the router and the learner's intake can take on this machine, over loopback, with and
// without keys. Client, router, server and learner are threads of one process here, and share its cores.

import Actor
import ArgumentParser
import Engine
import Foundation
import Learner
import Logging
import Messages
import Replay
import RewardServer
import Transport

struct BenchWire: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wire", abstract: "Measure score requests through a router, and insertion into and sampling from a replay.")

  @Option(help: "Seconds a measurement.") var seconds = 3.0
  @Option(help: "Folder of the replay that is inserted into; on a disk the wait for it counts, in /dev/shm it does not.")
  var folder: String?
  @Flag(help: "Print JSON, an object a line.") var json = false

  func validate() throws {
    guard seconds > 0, seconds.isFinite else { throw ValidationError("--seconds: expected more than 0, found \(seconds)") }
  }

  func run() throws {
    let place = (folder.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory)
      .appending(path: "stepwise-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: place) }
    for size in [1 << 10, 1 << 20] {
      for isRouted in [false, true] {
        show(try WireRoute(imageBytes: size, isRouted: isRouted).measure(seconds: seconds, inFlight: 32))
      }
      // One request at a time: what the way takes.
      for isRouted in [false, true] {
        show(try WireRoute(imageBytes: size, isRouted: isRouted).measure(seconds: seconds, inFlight: 1))
      }
    }
    for size in [64 << 10, 1 << 20] {
      for isEncrypted in [false, true] {
        show(
          try WireInsertion(groupBytes: size, isEncrypted: isEncrypted, folder: place.appending(path: "\(size)-\(isEncrypted)"))
            .measure(seconds: seconds, inFlight: 16))
      }
      show(try WireSampling.measure(place.appending(path: "\(size)-false/replay"), groupBytes: size, seconds: seconds))
    }
  }

  private func show(_ result: WireResult) {
    print(json ? result.json : result.line)
  }
}

/// One measurement.
struct WireResult: Codable {
  let operation: String
  let bytes: Int
  var mode = "plain"
  var inFlight: Int
  let itemsPerSecond: Double
  var megabytesPerSecond: Double { itemsPerSecond * Double(bytes) / 1e6 }
  var microsecondsMedian: Double?
  var microseconds99: Double?

  var line: String {
    let rate = String(format: "%10.0f /s %9.1f MB/s", itemsPerSecond, megabytesPerSecond)
    let latency = microsecondsMedian.map { String(format: "  median %.0f us, 99%% %.0f us", $0, microseconds99 ?? 0) } ?? ""
    return "\(operation.padding(toLength: 14, withPad: " ", startingAt: 0)) \(mode) \(bytes) bytes, \(inFlight) in flight: \(rate)\(latency)"
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

/// The logger of services that are measured, not watched.
private let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

/// Sends a frame, waiting for room.
private func send(_ socket: borrowing Socket, _ frames: [[UInt8]]) throws {
  while try socket.send(frames) != .sent { _ = try Poller().wait(for: [socket.writable], timeout: .milliseconds(10)) }
}

/// Score requests from a client to a server that answers at once, through a router or directly.
struct WireRoute {
  let imageBytes: Int
  let isRouted: Bool

  func measure(seconds: Double, inFlight: Int) throws -> WireResult {
    let context = try Context(ioThreads: 2)
    let router = isRouted
      ? try Router(context, front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*", logger: quiet) : nil
    let service = try Service<String>(name: "bench server") { bell, stop, announce in
      let socket = try Socket(context, isRouted ? .dealer : .router)
      if let router {
        try socket.connect(router.endpoints.back, to: .router)
        announce(router.endpoints.front)
      } else {
        announce(try socket.bind("tcp://127.0.0.1:*"))
      }
      let ready = ServerReady(
        name: "bench", rewards: [RewardVersion(name: "first-byte", version: "1")], batchSize: 64, credits: 64)
      var nextBeat = ContinuousClock.now
      let poller = Poller(wakeUp: bell)
      while !stop.isSet {
        if isRouted, ContinuousClock.now >= nextBeat {
          nextBeat = .now + .seconds(1)
          _ = try socket.send([Message.serverReady(ready).encode()])
        }
        _ = try poller.wait(for: [socket.readable], timeout: .milliseconds(100))
        while var frames = try socket.receive() {
          guard case .scoreRequest(let request) = try Message(decoding: frames.removeLast(), from: "client") else { continue }
          let result = ScoreResult(reward: "first-byte", version: "1", values: request.prompts.map { _ in 1 })
          try send(socket, frames + [Message.scoreReply(ScoreReply(id: request.id, results: [result])).encode()])
        }
      }
    }
    defer {
      service.stop()
      router?.stop()
    }
    let client = try Socket(context, .dealer)
    try client.connect(service.address, to: .router)
    let side = max(1, Int((Double(imageBytes) / 3).squareRoot()))
    let image = ImageBatch(count: 1, height: side, width: side, pixels: [UInt8](repeating: 7, count: side * side * 3))
    var id: UInt64 = 0
    var sentAt: [UInt64: ContinuousClock.Instant] = [:]
    func ask() throws {
      id += 1
      sentAt[id] = .now
      let request = ScoreRequest(
        id: id, rewards: ["first-byte"], prompts: ["cat"], images: .bytes(image), deadline: 60_000)
      try send(client, [Message.scoreRequest(request).encode()])
    }
    var latencies: [Double] = []
    func answer() throws {
      guard let frame = try client.receive(timeout: .seconds(20))?.last,
        case .scoreReply(let reply) = try Message(decoding: frame, from: "server")
      else { throw CommandError("bench wire: expected an answer within 20 s, found none") }
      guard reply.results.first?.values == [1] else { throw CommandError("bench wire: \(reply.results.first?.error ?? "no score")") }
      if let sent = sentAt.removeValue(forKey: reply.id) { latencies.append((ContinuousClock.now - sent).seconds * 1e6) }
    }
    // The connection, and the server's offer, are there after the first answers.
    for _ in 0..<20 {
      try ask()
      try answer()
    }
    latencies = []
    let start = ContinuousClock.now
    for _ in 0..<inFlight { try ask() }
    while (ContinuousClock.now - start).seconds < seconds {
      try answer()
      try ask()
    }
    let elapsed = (ContinuousClock.now - start).seconds
    let count = latencies.count
    while !sentAt.isEmpty { try answer() }
    latencies.sort()
    return WireResult(
      operation: isRouted ? "score routed" : "score direct", bytes: side * side * 3, inFlight: inFlight,
      itemsPerSecond: Double(count) / elapsed, microsecondsMedian: latencies[latencies.count / 2],
      microseconds99: latencies[latencies.count * 99 / 100])
  }
}

/// Groups from one client into a learner's replay, each acknowledged after the journal's wait for the disk.
struct WireInsertion {
  let groupBytes: Int
  let isEncrypted: Bool
  let folder: URL

  func measure(seconds: Double, inFlight: Int) throws -> WireResult {
    let (learnerContext, actorContext) = try contexts()
    var work = WorkPlan.Settings(seed: 1, prompts: ["cat"], groupsPerEpoch: 1 << 30, groupSize: 1, epochs: 1)
    work.leaseDuration = .seconds(600)
    var settings = LearnerSettings(
      runID: "bench", modelHash: SyntheticGroups.modelHash, seed: 1, work: work, replayFolder: folder.appending(path: "replay"))
    settings.replay = ReplaySettings(
      segmentGroups: 1 << 30, segmentBytes: 1 << 40, maximumTrajectories: 1 << 40, maximumBytes: 1 << 40)
    let learner = try LearnerService(learnerContext, settings, logger: quiet)
    try learner.publish(version: 0, bytes: [1], tensorCount: 1)
    let socket = try Socket(actorContext, .dealer, options: SocketOptions(routingIdentity: "bench-1"))
    try socket.connect(learner.addresses.learner, to: .learner)
    try send(socket, [Message.hello(Hello(role: .actor, runID: "", modelHash: SyntheticGroups.modelHash, name: "bench", incarnation: 1)).encode()])
    while true {
      if let frame = try socket.receive(timeout: .milliseconds(200))?.last,
        case .welcome = try Message(decoding: frame, from: "learner")
      { break }
      try send(socket, [Message.hello(Hello(role: .actor, runID: "", modelHash: SyntheticGroups.modelHash, name: "bench", incarnation: 1)).encode()])
    }
    var number = 0
    // All but the number is the same, so that making groups takes the client no time.
    let floats = groupBytes / 8
    let trajectory = Trajectory(
      states: Tensor(repeating: 0.5, shape: [2, 1, 1, floats * 2 / 3]),
      cleanStates: Tensor(repeating: 0.5, shape: [1, 1, 1, floats * 2 / 3]), logProbabilities: [-1],
      scores: [Score(step: 0, reward: "first-byte", version: "1", value: 1)], denseRewards: [1], anchorStep: 0)
    func deliver() throws {
      let group = TrajectoryGroup(
        runID: "bench", number: number, epoch: 0, actor: "bench", incarnation: 1, policyVersion: 0, prompt: "cat", seed: 1,
        timesteps: [1], eta: 1, guidanceScale: 1, trajectories: [trajectory])
      number += 1
      try send(socket, [Message.group(group).encode()])
    }
    var acknowledged = 0
    let start = ContinuousClock.now
    for _ in 0..<inFlight { try deliver() }
    // No more than 1 GiB: it is the rate that is asked for.
    let most = (1 << 30) / groupBytes
    while (ContinuousClock.now - start).seconds < seconds, acknowledged < most {
      guard let frame = try socket.receive(timeout: .seconds(20))?.last else {
        throw CommandError("bench wire: expected an acknowledgement within 20 s, found none")
      }
      switch try Message(decoding: frame, from: "learner") {
      case .acknowledgement(let acknowledgement):
        acknowledged += acknowledgement.numbers.count
        for _ in acknowledgement.numbers { try deliver() }
      case .refusal(let refusal): throw CommandError("bench wire: \(refusal.reason)")
      default: break
      }
    }
    let elapsed = (ContinuousClock.now - start).seconds
    try learner.end()
    return WireResult(
      operation: "insert", bytes: groupBytes, mode: isEncrypted ? "CURVE" : "plain", inFlight: inFlight,
      itemsPerSecond: Double(acknowledged) / elapsed)
  }

  private func contexts() throws -> (learner: Context, actor: Context) {
    guard isEncrypted else { return (try Context(), try Context()) }
    let keys = folder.appending(path: "keys").path
    try FileManager.default.createDirectory(atPath: keys, withIntermediateDirectories: true)
    var list = AllowList()
    for role in [KeyRole.learner, .actor] {
      let pair = try KeyPair()
      try pair.write(to: "\(keys)/\(role.name).key")
      try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: role.name))
    }
    try list.write(to: "\(keys)/\(Keyring.allowListName)")
    func context(_ role: KeyRole) throws -> Context {
      try Context(ioThreads: 2, security: Security(folder: keys, insecure: false, role: role), logger: quiet)
    }
    return (try context(.learner), try context(.actor))
  }
}

/// Groups drawn at random from a replay, as training draws them.
enum WireSampling {
  static func measure(_ folder: URL, groupBytes: Int, seconds: Double) throws -> WireResult {
    let store = try ReplayStore(reading: folder)
    var random = RandomStream(seed: 1)
    var count = 0
    let start = ContinuousClock.now
    while (ContinuousClock.now - start).seconds < seconds {
      count += try store.sample(min(16, store.count), from: &random).count
    }
    return WireResult(
      operation: "sample", bytes: groupBytes, inFlight: 1,
      itemsPerSecond: Double(count) / (ContinuousClock.now - start).seconds)
  }
}
