// `stepwise quickstart`: measures the embedded model, trains it with a reward, and measures it again.

import ArgumentParser
import Configuration
import Engine
import Foundation
import Programs
import Rewards
import Supervision
import Telemetry

struct QuickstartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quickstart",
    abstract: "Fine-tune the embedded model with a reward, and compare it before and after.",
    discussion: """
      Starts a router, a reward server, actors and a learner on this machine, and trains for a few minutes. Pictures \
      of prompts that are not trained on are scored before and after. Ctrl-C stops the run with a checkpoint, and \
      --resume continues it.
      """)

  @Option(help: "Reward to train with: \(ScorerRegistry.names.joined(separator: ", ")).") var reward = "colourfulness"
  @Option(help: "Minutes of training. (default: \(Preset.minutesText))") var minutes: Double?
  @Option(help: "Number of actors.") var actors = 2
  @Option(help: "Seed of all random numbers.") var seed: UInt64 = 1
  @Option(help: "Denoising steps.") var steps = 4
  @Option(help: "Name of the run's folder in runs/. (default: quickstart-REWARD, with a number where that exists)")
  var name: String?
  @Option(name: .customLong("set"), help: "Override a key of the preset, as training.epochs=3; may be repeated.")
  var overrides: [String] = []
  @Flag(help: "Continue the newest quickstart with this reward, or the one given by --name.") var resume = false

  func validate() throws {
    let names = ScorerRegistry.names
    guard names.contains(reward) else {
      throw ValidationError("--reward: expected one of \(names.joined(separator: ", ")), found \(reward)")
    }
    try requirePositive(["minutes": minutes ?? 1])
    try requirePositive(["actors": actors])
    guard (1...50).contains(steps) else { throw ValidationError("--steps: expected 1 to 50, found \(steps)") }
    if let name, name.isEmpty || name.contains("/") || name.hasPrefix(".") {
      throw ValidationError("--name: expected the name of a folder, found \"\(name)\"")
    }
  }

  func run() throws {
    try Compute.start(threads: ProcessInfo.processInfo.activeProcessorCount)
    say(Compute.summary)
    let preset = Preset(reward: reward), file = try preset.file()
    let settings = try settings(chooseFolder(), Configuration(file: file, overrides: overrides))
    // Before the run's folder is created: a reward may lack its model.
    let comparison = try Comparison(Configuration(file: file, overrides: settings))
    let run = try LocalRun(file, overrides: settings, actors: actors, rewardServers: 1, resumes: resume)
    let folder = run.files.folder

    say("\nBefore training: \(comparison.size)")
    let before = try comparison.measure(lora: nil)
    let minutes = minutes ?? preset.minutes
    say("\nTraining with \(reward) for at most \(ProgressLine.clock(60 * minutes)) minutes, \(actors) actors:")
    guard try run.train(minutes: minutes) != .interrupted else {
      print("stopped with a checkpoint; continue with: stepwise quickstart --reward \(reward) --resume "
        + "--name \(folder.lastPathComponent)")
      return
    }
    guard let adapter = run.files.latestAdapter else {
      throw CommandError("\(folder.path) holds no checkpoint after the training; see logs/learner.log in it")
    }
    say("\nAfter training:")
    let after = try comparison.measure(lora: adapter)
    try QuickstartReport(
      reward: reward, files: run.files, adapter: adapter, prompts: comparison.prompts, seeds: comparison.seeds,
      before: before, after: after
    ).write()
  }

  /// Prints at once: progress lines bypass the buffer of standard output.
  private func say(_ text: String) {
    print(text)
    fflush(nil)
  }

  /// Overrides of the preset: its folder, and with another number of steps as many epochs as give the preset's number
  /// of updates, one per trained step and minibatch.
  private func settings(_ folder: URL, _ preset: Configuration) throws -> [String] {
    func trained(_ steps: Int) -> Int { max(1, steps - (preset.training.finalStep ? 0 : 1)) }
    let updates = preset.training.epochs * trained(preset.sampling.steps)
    let weights = preset.reward.weights.keys.contains(reward) ? [] : ["reward.weights={\(reward): 1}"]
    return weights + [
      "training.epochs=\(max(1, updates / trained(steps)))", "run.folder=\(folder.path)", "run.seed=\(seed)",
      "run.threads=0", "sampling.steps=\(steps)",
    ] + overrides
  }

  private func chooseFolder() throws -> URL {
    let runs = URL(filePath: "runs").absoluteURL
    if let name { return runs.appending(path: name) }
    let stem = "quickstart-\(reward)"
    let names = [stem] + (2...999).map { "\(stem)-\($0)" }
    func isTaken(_ name: String) -> Bool { RunFiles(folder: runs.appending(path: name)).holdsRun }
    let found = resume ? names.last { isTaken($0) } : names.first { !isTaken($0) }
    guard let found else {
      throw CommandError(
        resume
          ? "\(runs.path) holds no quickstart with the reward \(reward) to resume; start one without --resume"
          : "\(runs.path) holds \(names.count) quickstarts with the reward \(reward) already; choose a --name")
    }
    return runs.appending(path: found)
  }

  struct Preset {
    private let name: String
    let minutes: Double

    /// A reward without a preset uses those of `colourfulness`.
    init(reward: String) {
      switch reward {
      case "alignment": (name, minutes) = ("emoji-sdpo-alignment", 5.5)
      case "jpeg-compressibility": (name, minutes) = ("emoji-sdpo-compressibility", 2)
      default: (name, minutes) = ("emoji-sdpo-colourfulness", 2)
      }
    }

    static var minutesText: String {
      "\(Preset(reward: "").minutes), with alignment \(Preset(reward: "alignment").minutes)"
    }

    /// The file in the folder configs of the project, which is the working directory or the program's folder, or
    /// contains it.
    ///
    /// - Throws: `CommandError` when there is none.
    func file() throws -> URL {
      for start in [URL(filePath: FileManager.default.currentDirectoryPath), RunPlan.programs] {
        var folder = start
        while folder.path != "/" {
          let file = folder.appending(path: "configs/\(name).yaml")
          if FileManager.default.fileExists(atPath: file.path) { return file }
          folder.deleteLastPathComponent()
        }
      }
      throw CommandError(
        "configs/\(name).yaml was not found in the working directory or above it; run stepwise in the project's folder")
    }
  }
}
