// Real sockets over inproc and tcp: received messages, and refusals with their texts.

import Foundation
import Testing
import Threads
import Transport

@Suite
struct SocketTests {
  @Test func `a frame of any size can be sent several times without changing`() throws {
    let context = try Context()
    let router = try Socket(context, .router)
    let dealer = try Socket(context, .dealer)
    try dealer.connect(try router.bind("tcp://127.0.0.1:*"))
    for size in [0, 1, 29, 33, 34, 4096, 8192, 8193, 1 << 20] {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let frame = Frame(bytes)
      #expect(frame.count == size && frame.bytes == bytes)
      _ = try Poller().wait(for: [dealer.writable], timeout: patience)
      for _ in 0..<2 { #expect(try dealer.send(frame) == .sent) }
      for _ in 0..<2 {
        _ = try Poller().wait(for: [router.readable], timeout: patience)
        let received = try #require(try router.receiveFromPeer())
        #expect(received.parts.count == 2 && received.frames[1] == bytes)
        // The received frame can be sent back.
        #expect(try router.send(received.parts[1], to: [received.parts[0].bytes]) == .sent)
        #expect(received.parts[1].bytes == bytes)
        #expect(try dealer.receive(timeout: patience) == [bytes])
      }
      #expect(frame.bytes == bytes)
      #expect(try router.send(frame, to: [Array("nobody".utf8)]) == .unreachable)
    }
  }

  @Test(arguments: [
    "tcp://127.0.0.1:*", "inproc://exchange",
  ])
  func `a dealer and a router exchange messages of several frames`(endpoint: String) throws {
    let context = try Context()
    let router = try Socket(context, .router)
    let bound = try router.bind(endpoint)
    let dealer = try Socket(context, .dealer, options: SocketOptions(routingIdentity: "ada-1"))
    try dealer.connect(bound)
    #expect(try sendPatiently(dealer, [[], [1, 2, 3], []]) == .sent)
    let message = try #require(try router.receive(timeout: patience))
    #expect(message == [Array("ada-1".utf8), [], [1, 2, 3], []])
    #expect(try router.send([message[0], [9]]) == .sent)
    #expect(try dealer.receive(timeout: patience) == [[9]])
    #expect(try dealer.receive() == nil)
  }

  @Test func `the bound endpoint has the number of a free port`() throws {
    let context = try Context()
    let socket = try Socket(context, .router)
    let bound = try socket.bind("tcp://127.0.0.1:*")
    let port = try #require(bound.split(separator: ":").last.flatMap { Int($0) })
    #expect(port > 0)
  }

  @Test func `a port in use is refused with the endpoint and a hint`() throws {
    let context = try Context()
    let first = try Socket(context, .router)
    let bound = try first.bind("tcp://127.0.0.1:*")
    let second = try Socket(context, .router)
    let error = try #require(transportError { _ = try second.bind(bound) })
    #expect(error.kind == .addressInUse)
    #expect(error.description.contains(bound))
    #expect(error.description.contains("choose another port"))
  }

  @Test(arguments: [
    "tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*", "tcp://example.org:5555",
  ])
  func `an address that other machines can reach is refused by default`(endpoint: String) throws {
    let context = try Context()
    let socket = try Socket(context, .publisher)
    let error = try #require(transportError { _ = try socket.bind(endpoint) })
    #expect(error.kind == .refusedInsecure)
    #expect(error.description.contains("insecure"))
  }

  @Test func `loopback addresses are recognized and similar addresses are not`() {
    for good in [
      "tcp://127.0.0.1:5", "tcp://127.3.2.1:*", "tcp://localhost:1", "tcp://[::1]:7", "inproc://a", "ipc:///a",
    ] {
      #expect(Endpoint.isLocal(good), "\(good)")
    }
    for bad in ["tcp://127.0.0.1.example.org:5", "tcp://10.0.0.1:5", "tcp://128.0.0.1:5", "udp://127.0.0.1:5", ""] {
      #expect(!Endpoint.isLocal(bad), "\(bad)")
    }
  }

  @Test(arguments: ["tcp://127.0.0.1", "nonsense", "tcp://127.0.0.1:port"])
  func `a malformed endpoint is refused by name`(endpoint: String) throws {
    let context = try Context()
    let socket = try Socket(context, .dealer)
    let error = try #require(transportError { try socket.connect(endpoint) })
    #expect(error.kind == .badEndpoint)
    #expect(error.description.contains(endpoint))
  }

  @Test func `a router reports an unknown peer`() throws {
    let context = try Context()
    let router = try Socket(context, .router)
    try router.bind("inproc://nobody")
    #expect(try router.send([Array("absent".utf8), [1]]) == .unreachable)
  }

  @Test func `a dealer without a peer does not queue`() throws {
    let context = try Context()
    let dealer = try Socket(context, .dealer)
    #expect(try dealer.send([[1]]) == .full)
  }

  @Test func `a full queue is reported and accepted messages arrive in order`() throws {
    let context = try Context()
    var options = SocketOptions()
    options.sendHighWaterMark = 10
    options.receiveHighWaterMark = 10
    let router = try Socket(context, .router, options: options)
    let bound = try router.bind("inproc://narrow")
    options.routingIdentity = "slow"
    let dealer = try Socket(context, .dealer, options: options)
    try dealer.connect(bound)
    #expect(try sendPatiently(dealer, [[0]]) == .sent)
    _ = try router.receive(timeout: patience)
    var accepted = 0
    while try router.send([Array("slow".utf8), [UInt8(accepted)]]) == .sent, accepted < 200 { accepted += 1 }
    #expect(accepted >= 10 && accepted < 200)
    for expected in 0..<accepted {
      #expect(try dealer.receive(timeout: patience) == [[UInt8(expected)]])
    }
  }

  @Test func `a frame beyond the limit is refused before it is sent`() throws {
    let context = try Context()
    var options = SocketOptions()
    options.maximumFrameBytes = 100
    let socket = try Socket(context, .dealer, options: options)
    let error = try #require(transportError { _ = try socket.send([[UInt8](repeating: 0, count: 101)]) })
    #expect(error.kind == .tooLarge)
    #expect(error.description.contains("101"))
  }

  @Test func `a peer that sends a frame beyond the limit is disconnected and others are served`() throws {
    let context = try Context()
    var narrow = SocketOptions()
    narrow.maximumFrameBytes = 1000
    let router = try Socket(context, .router, options: narrow)
    let bound = try router.bind("tcp://127.0.0.1:*")
    let rude = try Socket(context, .dealer, options: SocketOptions(routingIdentity: "rude"))
    try rude.connect(bound)
    #expect(try sendPatiently(rude, [[UInt8](repeating: 7, count: 5000)]) == .sent)
    let polite = try Socket(context, .dealer, options: SocketOptions(routingIdentity: "polite"))
    try polite.connect(bound)
    #expect(try sendPatiently(polite, [[1]]) == .sent)
    #expect(try router.receive(timeout: patience) == [Array("polite".utf8), [1]])
  }

  @Test func `a reconnecting peer keeps its identity`() throws {
    let context = try Context()
    let router = try Socket(context, .router)
    let bound = try router.bind("tcp://127.0.0.1:*")
    for round in 0..<3 {
      let dealer = try Socket(context, .dealer, options: SocketOptions(routingIdentity: "same"))
      try dealer.connect(bound)
      #expect(try sendPatiently(dealer, [[UInt8(round)]]) == .sent)
      #expect(try router.receive(timeout: patience) == [Array("same".utf8), [UInt8(round)]])
      #expect(try router.send([Array("same".utf8), [UInt8(round)]]) == .sent)
      #expect(try dealer.receive(timeout: patience) == [[UInt8(round)]])
    }
  }

  @Test func `a subscriber receives the messages of a publisher`() throws {
    let context = try Context()
    let publisher = try Socket(context, .publisher)
    let bound = try publisher.bind("tcp://127.0.0.1:*")
    let subscriber = try Socket(context, .subscriber)
    try subscriber.subscribe()
    try subscriber.connect(bound)
    // A publisher drops messages until the subscription has arrived, so the message is repeated.
    var heard: [[UInt8]]?
    for _ in 0..<1000 where heard == nil {
      _ = try publisher.send([[42]])
      heard = try subscriber.receive(timeout: .milliseconds(10))
    }
    #expect(heard == [[42]])
  }
}

func sendPatiently(_ socket: borrowing Socket, _ frames: [[UInt8]]) throws -> SendOutcome {
  let end = ContinuousClock.now + patience
  while true {
    let outcome = try socket.send(frames)
    if outcome != .full || ContinuousClock.now > end { return outcome }
    _ = try Poller().wait(for: [socket.writable], timeout: .milliseconds(200))
  }
}

private func transportError(_ body: () throws -> Void) -> TransportError? {
  do {
    try body()
    return nil
  } catch {
    return error as? TransportError
  }
}
