// A router and reward servers on real sockets, and a client without a library.

import Configuration
import Logging
import Messages
import RewardServer
import Rewards
import Testing
import Transport

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func withRouter(
  _ front: String = "tcp://127.0.0.1:*", _ back: String = "tcp://127.0.0.1:*", silenceLimit: Double = 15,
  _ body: (Context, RouterService.Endpoints) throws -> Void
) throws {
  let context = try Context()
  let network = NetworkSettings {
    $0.silenceLimit = silenceLimit
    $0.heartbeatInterval = 0.05
  }
  let router = try RouterService(context, front: front, back: back, network: network, logger: quiet)
  defer { router.stop() }
  try body(context, router.endpoints)
  router.stop()
  try router.join()
}

func scoringServer(
  _ context: Context, _ router: String, _ name: String,
  _ reward: RewardSettings = RewardSettings { ($0.requestsAtOnce, $0.batchSize) = (2, 2) },
  scorers: @escaping @Sendable () throws -> [any Scorer]
) throws -> ScoringService {
  let network = NetworkSettings {
    $0.routerBackends = [router]
    $0.heartbeatInterval = 0.05
  }
  let options = ScoringOptions(name: name, reward: reward, network: network)
  return try ScoringService(context, options, logger: quiet, scorers: scorers)
}

func request(_ id: UInt64, _ bytes: [UInt8], side: Int = 2) -> ScoreRequest {
  let pixels = bytes.flatMap { [UInt8](repeating: $0, count: side * side * 3) }
  return ScoreRequest(
    id: id, rewards: ["first-byte"], prompts: bytes.map { "\($0)" },
    images: .bytes(ImageBatch(count: bytes.count, height: side, width: side, pixels: pixels)), deadline: 20_000)
}

func send(_ socket: borrowing Socket, _ message: Message) throws {
  let bytes = message.encode(), end = ContinuousClock.now + .seconds(10)
  while try socket.send([bytes]) == .full {
    try #require(ContinuousClock.now < end)
    _ = try Poller().wait(for: [socket.writable], timeout: .milliseconds(100))
  }
}

func receiveReply(_ socket: borrowing Socket) throws -> ScoreReply {
  let frames = try #require(try socket.receive(timeout: .seconds(20)))
  guard case .scoreReply(let reply) = try Message(decoding: frames[0], from: "router") else {
    throw ScorerError("expected a reply")
  }
  return reply
}

func ask(_ socket: borrowing Socket, _ id: UInt64, _ bytes: [UInt8]) throws -> ScoreReply {
  try send(socket, .scoreRequest(request(id, bytes)))
  return try receiveReply(socket)
}
