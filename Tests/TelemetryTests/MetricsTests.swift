// metrics.jsonl is read as it was written.

import Durable
import Fixtures
import Foundation
import Telemetry
import Testing

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

  @Test func `a resumed log drops the steps that are repeated and a truncated line`() throws {
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

  @Test func `the error for a broken line names the file and the line`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("metrics.jsonl")
      try Data("{\"step\": 1}\nnonsense\n{\"step\": 2}\n".utf8).write(to: file)
      let error = #expect(throws: TelemetryError.self) { try MetricsRecord.read(file) }
      #expect(error?.description.contains("metrics.jsonl:2") == true)
      #expect(throws: SystemError.self) { try MetricsLog(file: folder.appendingPathComponent("none/metrics.jsonl")) }
    }
  }
}
