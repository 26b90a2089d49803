// `stepwise replay`: shows, checks and draws stored groups. All subcommands but `compact` leave the replay as it is, so
// they can be used while a learner writes to it.

import ArgumentParser
import Configuration
import Engine
import Foundation
import Imaging
import Messages
import Models
import Replay
import Supervision
import Telemetry

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Inspect, verify, render, export, rescore and compact stored trajectories.",
    subcommands: [Info.self, Verify.self, Render.self, Export.self, Rescore.self, Compact.self])

  struct Place: ParsableArguments {
    @Argument(help: "Folder of a run, or the replay folder in it.") var folder: String

    private var replay: URL {
      let given = URL(filePath: folder), within = given.appending(path: "replay")
      return FileManager.default.fileExists(atPath: within.path) ? within : given
    }

    func open() throws -> ReplayStore { try ReplayStore(reading: replay) }

    /// Opens the replay for writing; no other process may write to it.
    func openForWriting(_ settings: ReplaySettings) throws -> ReplayStore {
      let origin = try open().storedOrigin
      guard !origin.modelHash.isEmpty else {
        throw CommandError(
          "\(replay.path) holds a journal but no sealed segment yet, so there is nothing to compact; let the learner "
            + "seal a segment first")
      }
      return try ReplayStore(folder: replay, origin: origin, settings: settings)
    }
  }

  struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the stored groups, epochs, rewards and sizes.")
    @OptionGroup var place: Place

    func run() throws {
      let store = try place.open(), entries = store.entries
      print("run \(store.runID ?? "unknown"): \(store.count) groups, \(store.trajectoryCount) trajectories, "
        + "\(store.segmentCount) sealed segments, "
        + String(format: "%.1f MB", Double(store.byteCount) / 1e6))
      let rewards = Set(entries.flatMap(\.rewards.keys)).sorted()
      var rows = [["epoch", "groups", "prompts", "policy", "unscored"] + rewards]
      for (epoch, members) in Dictionary(grouping: entries, by: \.epoch).sorted(by: { $0.key < $1.key }) {
        let policies = Set(members.map(\.policyVersion)).sorted().map(String.init).joined(separator: " ")
        rows.append(
          [
            "\(epoch)", "\(members.count)", "\(Set(members.map(\.prompt)).count)", policies,
            "\(members.filter { !$0.isScored }.count)",
          ] + rewards.map { name in
            ScoreSummary(members.map { $0.rewards[name].map(Double.init) })?.text ?? "missing"
          })
      }
      print(TextTable.text(rows), terminator: "")
      for damage in store.damage { print("damaged: \(damage)") }
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read and check every stored group.")
    @OptionGroup var place: Place

    func run() throws {
      let store = try place.open()
      let damage = store.damage.filter { !$0.isTornTail } + store.verify()
      for found in damage { print("damaged: \(found)") }
      guard damage.isEmpty else {
        throw CommandError("\(store.folder.path): \(damage.count) places are damaged, \(store.count) groups are stored")
      }
      print("\(store.folder.path): \(store.count) groups, \(store.trajectoryCount) trajectories, no damage")
    }
  }

  struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draw the last clean state of each trajectory with its scores, one row per group.")
    @OptionGroup var place: Place
    @Option(help: "Model folder with the autoencoder that decodes the states.") var model: String
    @Option(help: "Epoch to draw. (default: the last one)") var epoch: Int?
    @Option(help: "Number of the one group to draw.") var group: Int?
    @Option(help: "Maximum number of groups.") var limit = 12
    @Flag(help: "Draw the clean states of all steps instead of the last one.") var steps = false
    @Option(help: "PNG file to write.") var out: String

    func run() throws {
      try Compute.start()
      let store = try place.open()
      let groups = try chosen(from: store)
      let vae = try AutoencoderKL(folder: URL(filePath: model).appending(path: "vae"))
      let rows = try groups.map { group in
        ContactSheet.Row(group.prompt, try group.trajectories.flatMap { try cells($0, vae) })
      }
      let title = "\(store.runID ?? ""): \(groups.count) group\(groups.count == 1 ? "" : "s") of epoch "
        + Set(groups.map(\.epoch)).sorted().map(String.init).joined(separator: ", ")
      try ContactSheet(title: title, rows: rows, cellSide: 96).rendered().writePNG(to: URL(filePath: out))
      print("wrote \(out)")
    }

    private func chosen(from store: ReplayStore) throws -> [TrajectoryGroup] {
      if let group { return [try store.group(group)] }
      guard let last = store.entries.map(\.epoch).max() else {
        throw CommandError("\(store.folder.path) holds no groups")
      }
      let groups = store.entries.filter { $0.epoch == epoch ?? last }.prefix(max(1, limit))
      guard !groups.isEmpty else {
        throw CommandError(
          "\(store.folder.path) holds no groups of epoch \(epoch ?? last); the last epoch is \(last)")
      }
      return try groups.map { try store.group($0.number) }
    }

    private func cells(_ trajectory: Trajectory, _ vae: AutoencoderKL) throws -> [ContactSheet.Cell] {
      let last = trajectory.stepCount - 1
      let shown = Array(steps ? 0...last : last...last)
      let pictures = try vae.pictures(ofStored: trajectory.cleanStates, steps: shown, model: model)
      return zip(shown, pictures).map { step, picture in
        let scores = trajectory.scores.filter { $0.step == step }.map { score in
          score.value.map { String(format: "%.3f", $0) } ?? "missing"
        }
        return ContactSheet.Cell(picture, caption: scores.joined(separator: " "))
      }
    }
  }
}
