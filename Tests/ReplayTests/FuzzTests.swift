import Engine
import Foundation
import Messages
import Replay
import Testing

private let seed = ProcessInfo.processInfo.environment["STEPWISE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

/// Adds random damage: flipped bits, other bytes, removed, doubled or moved parts, a cut.
private func mutated(_ bytes: [UInt8], _ random: inout RandomStream) -> [UInt8] {
  var bytes = bytes
  for _ in 0...random.integer(below: 3) where !bytes.isEmpty {
    let start = random.integer(below: bytes.count)
    let length = min(1 + random.integer(below: 1 << random.integer(below: 9)), bytes.count - start)
    switch random.integer(below: 7) {
    case 0: bytes[start] ^= 1 << UInt8(random.integer(below: 8))
    case 1: bytes[start] = UInt8(random.integer(below: 256))
    case 2: bytes[start] = [0, 1, 127, 128, 255][random.integer(below: 5)]
    case 3: bytes.removeSubrange(start..<start + length)
    case 4: bytes.insert(contentsOf: Array(bytes[start..<start + length]), at: random.integer(below: bytes.count))
    case 5: for index in start..<start + length { bytes[index] = UInt8(random.integer(below: 256)) }
    default: bytes.removeLast(length)
    }
  }
  return bytes
}

/// CRC-32C, one bit at a time.
private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var crc: UInt32 = 0xFFFF_FFFF
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
  }
  return ~crc
}

private func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A journal's record with valid checksums.
private func record(_ type: UInt32, _ number: UInt64, _ payload: [UInt8]) -> [UInt8] {
  let header = Array("SWJ1".utf8) + littleEndian(type) + littleEndian(UInt64(payload.count)) + littleEndian(number)
  return header + littleEndian(checksum(header[...])) + payload + littleEndian(checksum(payload[...]))
}

@Suite struct FuzzTests {
  /// A small group, so that the tests spend their time on reading, not on the disk.
  private func group(_ number: Int) -> TrajectoryGroup {
    let trajectory = Trajectory(
      states: Tensor(repeating: Float(number), shape: [2, 1, 2, 2]),
      cleanStates: Tensor(repeating: 2, shape: [1, 1, 2, 2]), logProbabilities: [-1],
      scores: [Score(step: 0, reward: "r", version: "1", value: 1)], denseRewards: [1], anchorStep: 0)
    return TrajectoryGroup(
      runID: "run-1", number: number, epoch: 0, actor: "a", incarnation: 1, policyVersion: 0, prompt: "p", seed: 1,
      timesteps: [9], eta: 1, guidanceScale: 1, trajectories: [trajectory])
  }

  /// Reads a folder. It may fail with an error; a group that it returns must be the one that was stored.
  private func read(_ folder: URL, _ expected: [Int: [UInt8]], _ comment: @autoclosure () -> Comment) throws {
    do {
      let store = try ReplayStore(reading: folder)
      for number in store.entries.map(\.number) {
        do {
          let found = encoded(try store.group(number))
          try #require(expected[number] == nil || expected[number] == found, comment())
        } catch is ReplayError {
        } catch is MessageError {
        }
      }
    } catch is ReplayError {
    }
  }

  @Test func `60,000 journals with damage anywhere never crash the replay or give wrong groups`() throws {
    try withFastFolder { folder in
      let expected = Dictionary(uniqueKeysWithValues: (0..<3).map { ($0, encoded(group($0))) })
      let whole = record(2, 0, littleEndian(UInt64(90)) + littleEndian(UInt64(95)))
        + (0..<3).flatMap { record(1, UInt64($0), expected[$0]!) }
      let path = folder.appendingPathComponent("journal-000001")
      var random = RandomStream(seed: seed).fork("journals")
      for round in 0..<60_000 * fuzzScale {
        try Data(mutated(whole, &random)).write(to: path)
        try read(folder, expected, "round \(round)")
      }
    }
  }

  @Test func `30,000 journals with damaged payloads and valid checksums never crash the replay`() throws {
    try withFastFolder { folder in
      let marks = littleEndian(UInt64(90)) + littleEndian(UInt64(95))
      let path = folder.appendingPathComponent("journal-000001")
      var random = RandomStream(seed: seed).fork("payloads")
      for _ in 0..<30_000 * fuzzScale {
        let journal = record(2, 0, random.integer(below: 3) == 0 ? mutated(marks, &random) : marks)
          + record(UInt32(1 + random.integer(below: 3)), 0, mutated(encoded(group(0)), &random))
          + record(1, 1, encoded(group(1)))
        try Data(journal).write(to: path)
        // With a valid checksum damage cannot be told from data; only a crash is an error.
        try read(folder, [:], "")
      }
    }
  }

  @Test func `10,000 segments with damage anywhere never crash the replay or give wrong groups`() throws {
    try withFastFolder { folder in
      let made = folder.appendingPathComponent("made"), read = folder.appendingPathComponent("read")
      let store = try ReplayStore(folder: made, origin: exampleOrigin)
      for number in 0..<3 { try store.append(group(number), bytes: encoded(group(number))) }
      try store.seal()
      let whole = Array(try Data(contentsOf: URL(filePath: segmentPaths(made)[0])))
      let expected = Dictionary(uniqueKeysWithValues: (0..<3).map { ($0, encoded(group($0))) })
      try FileManager.default.createDirectory(at: read, withIntermediateDirectories: true)
      try Data(record(2, 0, [])).write(to: read.appendingPathComponent("journal-000002"))
      var random = RandomStream(seed: seed).fork("segments")
      for round in 0..<10_000 * fuzzScale {
        try Data(mutated(whole, &random)).write(to: read.appendingPathComponent("segment-000001.h5"))
        try self.read(read, expected, "round \(round)")
      }
    }
  }
}
