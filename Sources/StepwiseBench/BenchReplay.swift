// `stepwise bench replay`: what the learner's intake takes, and how fast it reads its own replay, with the keys of
// Benchmarks/peers/reverb_replay.py. Items are counted only when they were found stored as they were made.

import ArgumentParser
import Foundation

struct BenchReplay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Measure insertion into a learner's replay, and sampling from it.",
    discussion: """
      Writers are threads with connections of their own, and a learner's service takes their groups over loopback. \
      Acknowledged from memory: the journal lies in --memory. From the system: it lies in --folder, without a wait for \
      the disk (replay.waitsForDisk: false). From the disk: with that wait.
      """)

  @Option(help: "Seconds a measurement.") var seconds = 5.0
  @Option(parsing: .upToNextOption, help: "Bytes of a group.") var bytes = [65_536, 1_048_576]
  @Option(help: "Writers, and groups that each has under way, as 2x25; alone these are measured.") var load: String?
  @Option(help: "MiB of a segment: insertion is measured while segments are sealed beside it.") var segment: Int?
  @Option(parsing: .upToNextOption, help: "What to measure: insert, sample, recover.")
  var only: [Operation] = [.insert, .sample, .recover]
  @Option(parsing: .upToNextOption, help: "Connections: plain, curve, or both.")
  var connection: [ReplayInsertion.Connection] = [.plain, .curve]
  @Option(parsing: .upToNextOption, help: "What acknowledges: memory, system, disk.")
  var acknowledged: [ReplayInsertion.Promise] = [.memory, .disk]
  @Option(help: "Folder on a disk.") var folder: String?
  @Option(help: "Folder in memory.") var memory = "/dev/shm"
  @Flag(help: "Print JSON, an object a line.") var json = false

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
      throw ValidationError("--load: expected writers and groups under way, as 2x25, found \(load ?? "")")
    }
  }

  /// Writers, and groups under way of each.
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
        for source in ReplaySampling.Source.allCases {
          try inNewFolder(of: URL(filePath: memory)) {
            show(try ReplaySampling(groupBytes: size, source: source).measure(in: $0, seconds: seconds))
          }
        }
      }
      if only.contains(.recover) { try recover(size, disk) }
    }
  }

  /// Opens a replay as after a crash, with everything in its journal.
  private func recover(_ size: Int, _ disk: URL) throws {
    try inNewFolder(of: disk) {
      show(try ReplaySampling(groupBytes: size, source: .journal).recover(in: $0, megabytes: 256))
    }
  }

  private func insert(_ size: Int, _ disk: URL) throws {
    for promise in acknowledged {
      for connection in connection {
        // A wait for the disk is shared by what is under way: more of it is needed to fill the time.
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
    // At once: whoever reads a pipe sees each measurement as it is made.
    FileHandle.standardOutput.write(Data(((json ? result.json : result.line) + "\n").utf8))
  }
}

/// One measurement; keys as the peers have them.
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
  /// Of the segments that were sealed meanwhile.
  var segmentBytes: Int?
  /// Seconds between two acknowledgements, at most.
  var longestPause: Double?
  /// Of the whole, where that is what is asked for.
  var seconds: Double?
  let itemsPerSecond: Double
  let mbPerSecond: Double
  /// Items found stored, or drawn, exactly as they were made.
  let verified: Int

  var line: String {
    let how = [
      connection, acknowledged.map { "acknowledged from \($0)" }, writers.map { "\($0) writers" },
      inFlight.map { "\($0) under way each" }, source.map { "from \($0)" },
      segmentBytes.map { "sealed by \($0 >> 20) MiB" },
      longestPause.map { String(format: "longest pause %.1f ms", 1000 * $0) },
      seconds.map { String(format: "%.2f s in all", $0) },
    ].compactMap(\.self).joined(separator: ", ")
    let what = String(
      format: "%@ %d bytes: %.1f a second, %.1f MB/s, %d verified; ", operation, bytes, itemsPerSecond,
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
