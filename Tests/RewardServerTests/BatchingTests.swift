// Requests that arrive together are scored together, except for groups and for pictures that fail.

import Configuration
import Engine
import Messages
import RewardServer
import Rewards
import Synchronization
import Testing
import Threads
import Transport

@Suite(.serialized)
struct BatchingTests {
  /// Scores a picture by its first byte and records the calls. The first call waits for the gate.
  final class Counting: Scorer, Sendable {
    let name = "first-byte"
    let version = "1"
    let sizes = Mutex<[Int]>([])
    let gate = Mailbox<Bool>()

    func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
      let isFirst = sizes.withLock { sizes in
        sizes.append(prompts.count)
        return sizes.count == 1
      }
      if isFirst { _ = gate.take(timeout: .seconds(20)) }
      return try prompts.indices.map { index in
        let byte = images[index * height * width * 3]
        if byte == 253 { throw ScorerError("this picture fails") }
        return Float(byte)
      }
    }
  }

  struct Together: GroupScorer {
    let name = "together"
    let version = "1"

    func scores(
      images: [UInt8], height: Int, width: Int, prompts: [String], positions: [PicturePosition]
    ) throws -> [Float?] {
      let trajectories = Set(positions.map(\.trajectory)).count
      return positions.map { _ in Float(trajectories * 100 + positions.count) }
    }
  }

  @Test func `waiting requests of one size are scored in one call up to the batch size`() throws {
    let counting = Counting()
    try withServer([counting], batchSize: 16) { client in
      for id in 0..<5 { try send(client, .scoreRequest(request(UInt64(id), [UInt8(10 * id), UInt8(10 * id + 1)]))) }
      // A request with another size is scored in its own call.
      try send(client, .scoreRequest(request(5, [77], side: 3)))
      // The other requests must arrive while the first call waits.
      var waiting = 0
      while waiting < 200, counting.sizes.withLock(\.count) == 0 {
        _ = try client.receive(timeout: .milliseconds(10))
        waiting += 1
      }
      _ = try client.receive(timeout: .milliseconds(200))
      counting.gate.put(true)
      var found: [UInt64: [Float?]] = [:]
      while found.count < 6 {
        let reply = try receiveReply(client)
        found[reply.id] = reply.results[0].values
      }
      for id in 0..<5 { #expect(found[UInt64(id)] == [Float(10 * id), Float(10 * id + 1)]) }
      #expect(found[5] == [77])
      let sizes = counting.sizes.withLock { $0 }
      #expect(sizes.count < 6, "every request had its own call: \(sizes)")
      #expect(sizes.reduce(0, +) == 11)
    }
  }

  @Test func `a picture that fails does not affect the scores of other requests`() throws {
    let counting = Counting()
    counting.gate.put(true)
    try withServer([counting], batchSize: 16, batchDelay: 0.3) { client in
      try send(client, .scoreRequest(request(1, [7])))
      try send(client, .scoreRequest(request(2, [253])))
      try send(client, .scoreRequest(request(3, [9])))
      var found: [UInt64: ScoreResult] = [:]
      while found.count < 3 {
        let reply = try receiveReply(client)
        found[reply.id] = reply.results[0]
      }
      #expect(found[1]?.values == [7] && found[3]?.values == [9])
      #expect(found[2]?.values == [nil])
      #expect(found[2]?.error.contains("this picture fails") == true)
    }
  }

  @Test func `repeated pictures of one prompt are scored once`() throws {
    let counting = Counting()
    counting.gate.put(true)
    try withServer([counting], batchSize: 2) { client in
      var asked = request(1, [7, 9, 7, 8, 7])
      asked.prompts[4] = "another"
      try send(client, .scoreRequest(asked))
      #expect(try receiveReply(client).results[0].values == [7, 9, 7, 8, 7])
      #expect(counting.sizes.withLock { $0 } == [2, 2])
    }
  }

  @Test func `a group reward sees one whole group at a time`() throws {
    try withServer([Together()], batchSize: 2, batchDelay: 0.1) { client in
      for (id, trajectories) in [(1, 2), (2, 3)] {
        let positions = (0..<trajectories).flatMap { trajectory in
          [0, 3].map { GroupPosition(trajectory: trajectory, step: $0) }
        }
        var asked = request(UInt64(id), [UInt8](repeating: 1, count: positions.count))
        asked.rewards = ["together"]
        asked.positions = positions
        try send(client, .scoreRequest(asked))
      }
      var found: [UInt64: [Float?]] = [:]
      while found.count < 2 {
        let reply = try receiveReply(client)
        found[reply.id] = reply.results[0].values
      }
      #expect(found[1] == [Float?](repeating: 204, count: 4))
      #expect(found[2] == [Float?](repeating: 306, count: 6))
    }
  }

  // MARK: - Helpers

  private func withServer(
    _ scorers: [any Scorer & Sendable], batchSize: Int, batchDelay: Double = 0,
    _ body: (borrowing Socket) throws -> Void
  ) throws {
    try withRouter("inproc://batching-front", "inproc://batching-back") { context, endpoints in
      let reward = RewardSettings {
        $0.batchSize = batchSize
        $0.batchDelay = batchDelay
        $0.requestsAtOnce = 8
      }
      let server = try scoringServer(context, endpoints.back, "ada", reward) { scorers }
      let client = try Socket(context, .dealer)
      try client.connect(endpoints.front)
      try body(client)
      server.stop()
      try server.join()
    }
  }
}
