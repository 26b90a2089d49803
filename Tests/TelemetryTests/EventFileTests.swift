// Event files are read by a simple reader here, and by TensorBoard where Python has it.

import Durable
import Fixtures
import Foundation
import Imaging
import Telemetry
import Testing

/// CRC-32C bit by bit, with the mask of TFRecord.
private func referenceChecksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var sum: UInt32 = 0xFFFF_FFFF
  for byte in bytes {
    sum ^= UInt32(byte)
    for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
  }
  sum = ~sum
  return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
}

private func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
  bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
}

/// The data of every record, after a check of its checksums.
private func records(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
  var records: [ArraySlice<UInt8>] = [], rest = bytes[...]
  while !rest.isEmpty {
    let length = Int(number(rest.prefix(8)))
    #expect(number(rest.dropFirst(8).prefix(4)) == UInt64(referenceChecksum(rest.prefix(8))))
    let data = rest.dropFirst(12).prefix(length)
    #expect(number(rest.dropFirst(12 + length).prefix(4)) == UInt64(referenceChecksum(data)))
    records.append(data)
    rest = rest.dropFirst(16 + length)
  }
  return records
}

/// Content by field number, for messages in which each field occurs once.
private func fields(_ message: ArraySlice<UInt8>) -> [UInt64: ArraySlice<UInt8>] {
  var fields: [UInt64: ArraySlice<UInt8>] = [:], rest = message
  func varint() -> UInt64 {
    var value: UInt64 = 0, shift: UInt64 = 0
    while let byte = rest.popFirst() {
      value |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 { break }
    }
    return value
  }
  while !rest.isEmpty {
    let key = varint(), count: Int
    switch key & 7 {
    case 0:
      let start = rest
      _ = varint()
      fields[key >> 3] = start.prefix(start.count - rest.count)
      continue
    case 1: count = 8
    case 5: count = 4
    default: count = Int(varint())
    }
    fields[key >> 3] = rest.prefix(count)
    rest = rest.dropFirst(count)
  }
  return fields
}

private func written(in folder: URL) throws -> EventFile {
  let file = try EventFile(folder: folder, time: 1_700_000_000)
  try file.append(step: 300, scalars: ["reward/mean": 0.5, "loss": -2], time: 1_700_000_001)
  try file.append(step: 301, scalars: ["reward/mean": 0.75], time: 1_700_000_002)
  try file.append(step: 301, tag: "samples", image: Image(width: 300, height: 2), time: 1_700_000_003)
  return file
}

private let python = ["python3", ProcessInfo.processInfo.environment["STEPWISE_PYTHON"]].compactMap { $0 }
  .first { (try? run($0, "import tensorboard")) != nil }

/// The output of a Python program; throws when the program fails.
private func run(_ python: String, _ program: String) throws -> String {
  struct Failed: Error {}
  let process = Process(), output = Pipe()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [python, "-c", program]
  process.standardOutput = output
  process.standardError = FileHandle.nullDevice
  try process.run()
  let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw Failed() }
  return text
}

@Suite struct EventFileTests {
  @Test func `records have correct checksums and the logged content`() throws {
    try withTemporaryFolder { folder in
      let file = try written(in: folder)
      #expect(file.url.lastPathComponent.hasPrefix("events.out.tfevents.1700000000."))
      let events = records([UInt8](try Data(contentsOf: file.url))).map(fields)
      #expect(events.count == 5)
      #expect(events[0][3].map { Array($0) } == Array("brain.Event:2".utf8))
      // Scalars are sorted by name: loss, then reward/mean.
      let lossSummary = fields(try #require(events[1][5]))
      let loss = fields(try #require(lossSummary[1]))
      #expect(loss[1].map { Array($0) } == Array("loss".utf8))
      #expect(loss[2].map { Float(bitPattern: UInt32(number($0))) } == -2)
      #expect(events[1][1].map { Double(bitPattern: number($0)) } == 1_700_000_001)
      #expect(events[1][2].map { Array($0) } == [0xAC, 0x02])  // 300 as a varint
      let pictureSummary = fields(try #require(events[4][5]))
      let picture = fields(try #require(pictureSummary[1]))
      let image = fields(try #require(picture[4]))
      #expect(image[1].map { Array($0) } == [2] && image[2].map { Array($0) } == [0xAC, 0x02])
      #expect(try Image(encoded: Array(#require(image[4])), name: "event") == Image(width: 300, height: 2))
    }
  }

  @Test func `files that are created in the same second have different names`() throws {
    try withTemporaryFolder { folder in
      let names = try (0..<3).map { _ in try EventFile(folder: folder, time: 5).url.lastPathComponent }
      #expect(Set(names).count == 3)
    }
  }

  @Test func `the error for a missing folder names the folder`() throws {
    let error = #expect(throws: SystemError.self) {
      try EventFile(folder: URL(fileURLWithPath: "/nowhere/run"))
    }
    #expect(error?.description.contains("/nowhere/run") == true)
  }

  @Test(.enabled(if: python != nil, "needs Python's tensorboard"))
  func `TensorBoard reads the scalars and the picture`() throws {
    try withTemporaryFolder { folder in
      _ = try written(in: folder)
      let program = """
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        a = EventAccumulator("\(folder.path)")
        a.Reload()
        print([(e.step, e.value) for e in a.Scalars("reward/mean")], [(i.width, i.height) for i in a.Images("samples")])
        """
      #expect(try run(#require(python), program) == "[(300, 0.5), (301, 0.75)] [(300, 2)]\n")
    }
  }
}
