// `stepwise-bench replay`: insertion into the replay of a learner, and sampling from it, with the keys of
// Benchmarks/peers/reverb_replay.py. Only groups that were stored unchanged are counted.

import ArgumentParser
import Foundation
import Programs

struct BenchReplay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Measure insertion into the replay of a learner, sampling and recovery.",
    discussion: """
      Each writer is a thread with its own connection to the service of a learner on loopback. A group is \
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
    try requirePositive(["seconds": seconds])
    try requirePositive(["segment": segment ?? 1])
    guard bytes.allSatisfy({ (1024...(64 << 20)).contains($0) }) else {
      throw ValidationError("--bytes: expected 1024 to \(64 << 20), found \(bytes)")
    }
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
            try show(ReplayReadingMeasurement(groupBytes: size, source: source).measure(in: $0, seconds: seconds))
          }
        }
      }
      if only.contains(.recover) { try recover(size, disk) }
    }
  }

  /// Opens a replay whose groups are all in the journal, as after a crash.
  private func recover(_ size: Int, _ disk: URL) throws {
    try inNewFolder(of: disk) {
      try show(ReplayReadingMeasurement(groupBytes: size, source: .journal).recover(in: $0, mebibytes: 256))
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
            try show(insertion.measure(in: $0, seconds: seconds))
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

  private func show(_ result: ReplayMeasurement) throws {
    // Without the buffer of standard output, so that each result is seen at once in a pipe.
    FileHandle.standardOutput.write(Data(((json ? try jsonLine(result) : result.line) + "\n").utf8))
  }
}
