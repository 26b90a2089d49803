// Logs come back as they were written, whatever happened in between.

import Durable
import Foundation
import Telemetry
import Testing

func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("stepwise-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

@Suite struct MetricsTests {
  @Test func `records come back in order`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("metrics.jsonl")
      let log = try MetricsLog(file: file)
      try log.append(step: 0, ["reward/mean": 0.25, "quoted \"name\"\n": -1e-9], time: 10)
      try log.append(step: 1, ["reward/mean": 1, "loss": .nan], time: 11.5)
      let records = try MetricsRecord.read(file)
      #expect(records.map(\.step) == [0, 1])
      #expect(records[0] == MetricsRecord(step: 0, time: 10, values: ["reward/mean": 0.25, "quoted \"name\"\n": -1e-9]))
      #expect(records[1].time == 11.5 && records[1].values["loss"]?.isNaN == true)
    }
  }

  @Test func `a resumed run forgets what it will do again and a line cut short`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("metrics.jsonl")
      let log = try MetricsLog(file: file)
      for step in 0..<5 { try log.append(step: step, ["value": Double(step)]) }
      let handle = try FileHandle(forWritingTo: file)
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("{\"step\": 5, \"val".utf8))
      #expect(try MetricsRecord.read(file).count == 5)
      let resumed = try MetricsLog(file: file, resumingAt: 3)
      try resumed.append(step: 3, ["value": 30])
      #expect(try MetricsRecord.read(file).map { $0.values["value"] } == [0, 1, 2, 30])
    }
  }

  @Test func `a broken line is named`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("metrics.jsonl")
      try Data("{\"step\": 1}\nnonsense\n{\"step\": 2}\n".utf8).write(to: file)
      let error = #expect(throws: TelemetryError.self) { try MetricsRecord.read(file) }
      #expect(error?.description.contains("metrics.jsonl:2") == true)
      #expect(throws: SystemError.self) { try MetricsLog(file: folder.appendingPathComponent("none/metrics.jsonl")) }
    }
  }

  @Test func `a progress line tells part, speed and time left`() {
    #expect(
      ProgressLine.text("VAE", done: 120, of: 1000, seconds: 30, note: "loss 0.21")
        == "VAE 120/1000 (12%), 4.0/s, 3:40 left, loss 0.21")
    #expect(ProgressLine.text("VAE", done: 0, of: 10, seconds: 0) == "VAE 0/10 (0%)")
    #expect(ProgressLine.text("VAE", done: 2, of: 2, seconds: 5) == "VAE 2/2 (100%), 2.5 s each, took 0:05")
    #expect(ProgressLine.clock(3723) == "1:02:03")
  }

  @Test func `progress into a file is plain lines, the first and the last at least`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("log")
      try Data().write(to: file)
      let progress = ProgressLine("work", total: 100, output: try FileHandle(forWritingTo: file))
      for step in 1...100 { progress.update(step) }
      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      #expect(lines.first?.hasPrefix("work 1/100") == true && lines.last?.hasPrefix("work 100/100") == true)
      #expect(lines.count < 50)
    }
  }
}
