// `stepwise-bench wire`: score requests through a router on loopback. Client, router and server are threads of one
// process, and share its cores.

import ArgumentParser
import Basics
import Engine
import Foundation
import Logging
import Messages
import Programs
import RewardServer
import Roles
import Supervision
import Threads
import Transport

struct BenchWire: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wire", abstract: "Measure score requests with and without a router.")

  @Option(help: "Seconds per measurement.") var seconds = 3.0
  @Flag(help: "Print one JSON object per line.") var json = false

  func validate() throws {
    try requirePositive(["seconds": seconds])
  }

  func run() throws {
    for size in [1 << 10, 1 << 20] {
      for isRouted in [false, true] {
        try show(WireRoute(imageBytes: size, isRouted: isRouted).measure(seconds: seconds, inFlight: 32))
      }
      // One request at a time shows the latency.
      for isRouted in [false, true] {
        try show(WireRoute(imageBytes: size, isRouted: isRouted).measure(seconds: seconds, inFlight: 1))
      }
    }
  }

  private func show(_ result: WireResult) throws { print(json ? try jsonLine(result) : result.line) }
}

struct WireResult: Codable {
  let operation: String
  let bytes: Int
  var mode = "plain"
  var inFlight: Int
  let itemsPerSecond: Double
  var microsecondsMedian: Double?
  var microseconds99: Double?

  var line: String {
    let rate = String(format: "%10.0f /s %9.1f MB/s", itemsPerSecond, itemsPerSecond * Double(bytes) / 1e6)
    let latency = microsecondsMedian.map { String(format: "  median %.0f us, 99%% %.0f us", $0, microseconds99 ?? 0) }
    let what = operation.padding(toLength: 14, withPad: " ", startingAt: 0)
    return "\(what) \(mode) \(bytes) bytes, \(inFlight) in flight: \(rate)\(latency ?? "")"
  }
}

/// A logger without output for the services that are measured.
let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

/// Repeats `attempt` until the socket takes the message.
func untilSent(by socket: borrowing Socket, _ attempt: () throws -> SendOutcome) throws {
  while try attempt() != .sent { _ = try Poller().wait(for: [socket.writable], timeout: .milliseconds(10)) }
}

struct WireRoute {
  let imageBytes: Int
  let isRouted: Bool

  func measure(seconds: Double, inFlight: Int) throws -> WireResult {
    let context = try Context(ioThreads: 2)
    let router = isRouted
      ? try RouterService(context, front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*", logger: quiet) : nil
    let service = try Service<String>(name: "bench server") { waker, stop, announce in
      let socket = try Socket(context, isRouted ? .dealer : .router)
      if let router {
        try socket.connect(router.endpoints.back, to: .router)
        announce(router.endpoints.front)
      } else {
        announce(try socket.bind("tcp://127.0.0.1:*"))
      }
      let ready = ServerReady(
        name: "bench", rewards: [RewardVersion(name: "first-byte", version: "1")], credits: 64)
      var nextBeat = ContinuousClock.now
      let poller = Poller(waker: waker)
      while !stop.isSet {
        if isRouted, ContinuousClock.now >= nextBeat {
          nextBeat = .now + .seconds(1)
          _ = try socket.send([Message.serverReady(ready).encode()])
        }
        _ = try poller.wait(for: [socket.readable], timeout: .milliseconds(100))
        while let received = try socket.receiveFromPeer() {
          let frames = received.parts.dropLast().map(\.bytes)
          guard let frame = received.parts.last,
            case .scoreRequest(let request) = try frame.withUnsafeBytes({ try Message(decoding: $0, from: "client") })
          else { continue }
          let result = ScoreResult(reward: "first-byte", version: "1", values: request.prompts.map { _ in 1 })
          let reply = Message.scoreReply(ScoreReply(id: request.id, results: [result])).encode()
          try untilSent(by: socket) { try socket.send(frames + [reply]) }
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
      let frame = Message.scoreRequest(request).withEncoding(Frame.init)
      try untilSent(by: client) { try client.send(frame) }
    }
    var latencies: [Double] = []
    func answer() throws {
      guard let frame = try client.receive(timeout: .seconds(20))?.last,
        case .scoreReply(let reply) = try Message(decoding: frame, from: "server")
      else { throw CommandError("the server did not answer within 20 s") }
      guard reply.results.first?.values == [1] else {
        throw CommandError("a request was not scored: \(reply.results.first?.error ?? "no score")")
      }
      if let sent = sentAt.removeValue(forKey: reply.id) {
        latencies.append((ContinuousClock.now - sent).seconds * 1e6)
      }
    }
    // After the first replies the connections are established, and the router knows the server.
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
