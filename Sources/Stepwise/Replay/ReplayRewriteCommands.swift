// `stepwise replay export` and `compact`: write stored groups to one file, or to fewer segments.

import ArgumentParser
import Configuration
import Foundation
import Replay
import Supervision

extension ReplayCommand {
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write stored groups to one HDF5 file with the layout of a sealed segment.")
    @OptionGroup var place: Place
    @Option(parsing: .upToNextOption, help: "Epochs to export. (default: all)") var epoch: [Int] = []
    @Flag(help: "Leave out groups without all scores.") var scored = false
    @Option(help: "HDF5 file to write.") var out: String

    func run() throws {
      let store = try place.open()
      let chosen = store.entries.filter { (epoch.isEmpty || epoch.contains($0.epoch)) && (!scored || $0.isScored) }
      guard !chosen.isEmpty else {
        throw CommandError(
          "\(store.folder.path): none of the \(store.count) stored groups matches --epoch and --scored")
      }
      try store.export(chosen.map(\.number), to: URL(filePath: out))
      let size = try FileManager.default.attributesOfItem(atPath: out)[.size] as? Int ?? 0
      print(
        "wrote \(out): \(chosen.count) groups, \(chosen.reduce(0) { $0 + $1.trajectoryCount }) trajectories, "
          + String(format: "%.1f MB", Double(size) / 1e6))
    }
  }

  struct Compact: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write all groups into as few segments as possible. No learner may be working on the run.")
    @OptionGroup var place: Place
    @Option(help: "Maximum groups per segment.") var segmentGroups = 4096
    @Option(help: "Maximum bytes per segment.") var segmentBytes = 1 << 30

    func validate() throws {
      guard segmentGroups > 0, segmentBytes > 0 else {
        throw ValidationError(
          "expected --segment-groups and --segment-bytes above 0, found \(segmentGroups) and \(segmentBytes)")
      }
    }

    func run() throws {
      let store = try place.openForWriting(
        ReplaySettings {
          $0.segmentGroups = segmentGroups
          $0.segmentBytes = segmentBytes
          $0.maximumTrajectories = .max
          $0.maximumBytes = .max
          $0.cacheBytes = 0
        })
      for damage in store.damage { print("damaged: \(damage)") }
      let done = try store.compact()
      print(
        "\(store.folder.path): \(store.count) groups, \(done.segmentsBefore) segments and "
          + String(format: "%.1f MB before, ", Double(done.bytesBefore) / 1e6)
          + "\(done.segmentsAfter) and " + String(format: "%.1f MB after", Double(done.bytesAfter) / 1e6))
    }
  }
}
