// `stepwise-bench replay`: insertion into the replay of a learner, and sampling from it, with the keys of
// Benchmarks/peers/reverb_replay.py. Only groups that were stored unchanged are counted.

import ArgumentParser
import Foundation

struct BenchReplay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Measure insertion into the replay of a learner, sampling and recovery.",
    discussion: """
      Each writer is a thread with a connection of its own to the service of a learner on loopback. A group is \
      acknowledged from memory (the journal is in --memory), from the system (the journal is in --folder, and \
      replay.waitsForDisk is false), or from the disk (replay.waitsForDisk is true).
      """)

  @Option(help: "Seconds per measurement.") var seconds = 5.0
  @Option(parsing: .upToNextOption, help: "Bytes per group.") var bytes = [65_536, 1_048_576]
  @Option(help: "Writers and groups in flight of each, as 2x25. (default: several loads)") var load: String?
  @Option(help: "MiB per segment, to measure insertion while segments are sealed.") var segment: Int?
  @Option(parsing: .upToNextOption, help: "Operations: insert, sample, recover.")
  var only: [Operation] = [.insert, .sample, .recover]
  @Option(parsing: .upToNextOption, help: "Connections: plain, curve (encrypted).")
  var connection: [ReplayInsertion.Connection] = [.plain, .curve]
  @Option(parsing: .upToNextOption, help: "Where an acknowledged group is stored: memory, system, disk.")
  var acknowledged: [ReplayInsertion.Promise] = [.memory, .disk]
  @Option(help: "Folder on a disk. (default: the temporary folder)") var folder: String?
  @Option(help: "Folder in memory.") var memory = "/dev/shm"
  @Flag(help: "Print one JSON object per line.") var json = false

  enum Operation: String, ExpressibleByArgument { case insert, sample, recover }

  func validate() throws {
    guard seconds > 0, seconds.isFinite else {
      throw ValidationError("--seconds: expected more than 0, found \(seconds)")
    }
    guard bytes.allSatisfy({ (1024...(64 << 20)).contains($0) }) else {
      throw ValidationError("--bytes: expected 1024 to \(64 << 20), found \(bytes)")
    }
    if let segment, segment < 1 { throw ValidationError("--segment: expected at least 1, found \(segment)") }
    if load != nil, loads == nil {
      throw ValidationError("--load: expected writers and groups in flight, as 2x25, found \(load ?? "")")
    }
  }

  /// Writers, and groups in flight of each.
  private var loads: [(writers: Int, inFlight: Int)]? {
    guard let load else { return nil }
    let parts = load.split(separator: "x").compactMap { Int($0) }
    guard parts.count == 2, parts.allSatisfy({ (1...1024).contains($0) }) else { return nil }
    return [(parts[0], parts[1])]
  }

  func run() throws {
    let disk = folder.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
    for size in bytes {
      if only.contains(.insert) { try insert(size, disk) }
      if only.contains(.sample) {
        for source in ReplayReadingMeasurement.Source.allCases {
          try inNewFolder(of: URL(filePath: memory)) {
            show(try ReplayReadingMeasurement(groupBytes: size, source: source).measure(in: $0, seconds: seconds))
          }
        }
      }
      if only.contains(.recover) { try recover(size, disk) }
    }
  }

  /// Opens a replay whose groups are all in the journal, as after a crash.
  private func recover(_ size: Int, _ disk: URL) throws {
    try inNewFolder(of: disk) {
      show(try ReplayReadingMeasurement(groupBytes: size, source: .journal).recover(in: $0, mebibytes: 256))
    }
  }

  private func insert(_ size: Int, _ disk: URL) throws {
    for promise in acknowledged {
      for connection in connection {
        // The groups in flight share a wait for the disk, so more of them are needed.
        let usual = promise == .disk ? [(1, 16), (1, 64)] : [(1, 25), (2, 25)]
        for (writers, inFlight) in loads ?? usual {
          try inNewFolder(of: promise == .memory ? URL(filePath: memory) : disk) {
            let insertion = ReplayInsertion(
              groupBytes: size, connection: connection, promise: promise, writers: writers, inFlight: inFlight,
              segmentBytes: segment.map { $0 << 20 })
            show(try insertion.measure(in: $0, seconds: seconds))
          }
        }
      }
    }
  }

  private func inNewFolder(of place: URL, _ body: (URL) throws -> Void) throws {
    let folder = place.appending(path: "stepwise-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  private func show(_ result: ReplayMeasurement) {
    // Without the buffer of standard output, so that each result is seen at once in a pipe.
    FileHandle.standardOutput.write(Data(((json ? result.json : result.line) + "\n").utf8))
  }
}

/// One measurement, with the keys of the peers.
struct ReplayMeasurement: Codable {
  var peer = "stepwise"
  let operation: String
  let bytes: Int
  var writers: Int?
  var samplers: Int?
  var inFlight: Int?
  var connection: String?
  var acknowledged: String?
  var source: String?
  /// Bytes per segment, where segments were sealed during the measurement.
  var segmentBytes: Int?
  /// Maximum seconds between two acknowledgements.
  var longestPause: Double?
  /// Duration of a recovery.
  var seconds: Double?
  let itemsPerSecond: Double
  let mbPerSecond: Double
  /// Groups that were stored or sampled unchanged.
  let verified: Int

  var line: String {
    let how = [
      connection, acknowledged.map { "acknowledged from \($0)" }, writers.map { "\($0) writers" },
      inFlight.map { "\($0) in flight each" }, source.map { "from \($0)" },
      segmentBytes.map { "segments of \($0 >> 20) MiB" },
      longestPause.map { String(format: "longest pause %.1f ms", 1000 * $0) },
      seconds.map { String(format: "%.2f s in total", $0) },
    ].compactMap(\.self).joined(separator: ", ")
    let what = String(
      format: "%@ %d bytes: %.1f/s, %.1f MB/s, %d verified; ", operation, bytes, itemsPerSecond,
      mbPerSecond, verified)
    return what + how
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
