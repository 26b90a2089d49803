// `stepwise quickstart`: the main job from beginning to end on the embedded model: measure, train, measure again.

import ArgumentParser
import Configuration
import Diffusion
import Engine
import Foundation
import Supervision
import Imaging
import Models
import Rewards
import Telemetry
import Transport

struct QuickstartCommand: ParsableCommand {
  enum Reward: String, CaseIterable, ExpressibleByArgument {
    case alignment
    case compressibility = "jpeg-compressibility"

    var preset: String { self == .alignment ? "emoji-sdpo-alignment" : "emoji-sdpo-compressibility" }
  }

  static let configuration = CommandConfiguration(
    commandName: "quickstart",
    abstract: "Make the embedded model's pictures better, and show that they are.",
    discussion: """
      Starts a router, a reward server, two actors and a learner on this machine, trains for a few minutes, and \
      compares the policy before and after on prompts and seeds that were not trained on. Ctrl-C stops it with a \
      checkpoint; --resume goes on.
      """)

  @Option(help: "What to reward: \(Reward.allCases.map(\.rawValue).joined(separator: " or ")).")
  var reward = Reward.alignment
  @Option(help: "Minutes of training.") var minutes = 5.5
  @Option(help: "Actor processes.") var actors = 2
  @Option(help: "Seed of all random numbers.") var seed: UInt64 = 1
  @Option(help: "Denoising steps.") var steps = 4
  @Option(help: "Name of the run's folder in runs/; a new one when absent.") var name: String?
  @Option(name: .customLong("set"), help: "Override a key of the configuration, as training.learningRate=1e-4.")
  var overrides: [String] = []
  @Flag(help: "Go on with the newest quickstart of this reward, or the one of --name.") var resume = false

  func validate() throws {
    guard minutes > 0 else { throw ValidationError("--minutes: expected a positive number, found \(minutes)") }
    guard actors > 0 else { throw ValidationError("--actors: expected a positive number, found \(actors)") }
    guard (1...50).contains(steps) else { throw ValidationError("--steps: expected 1 to 50, found \(steps)") }
    if let name, name.isEmpty || name.contains("/") || name.hasPrefix(".") {
      throw ValidationError("--name: expected a folder's name, found \"\(name)\"")
    }
  }

  func run() throws {
    let cores = ProcessInfo.processInfo.activeProcessorCount
    try Compute.start(threads: cores)
    say(Compute.summary)
    let folder = try chooseFolder()
    let preset = try Self.preset(reward.preset)
    let settings = try settings(folder, Configuration(file: preset, overrides: overrides))
    let configuration = try Configuration(file: preset, overrides: settings)
    try RunFolder.prepare(folder, resumes: resume)
    let comparison = try Comparison(configuration)

    say("\nBefore training: \(comparison.size)")
    let before = try comparison.measure(lora: nil)
    let plan = RunPlan(
      file: preset, overrides: settings, actors: actors, rewardServers: 1, resumes: resume, cores: cores)
    let outcome = try train(configuration, plan, folder)
    guard outcome != .interrupted else {
      print("stopped with a checkpoint; go on with: stepwise quickstart --reward \(reward.rawValue) --resume "
        + "--name \(folder.lastPathComponent)")
      return
    }
    guard let adapter = RunFolder.latestAdapter(folder) else {
      throw CommandError("\(folder.path): expected a checkpoint after the training, found none; see logs/learner.log")
    }
    say("\nAfter training:")
    let after = try comparison.measure(lora: adapter)
    try QuickstartReport(
      reward: reward.rawValue, folder: folder, adapter: adapter, prompts: comparison.prompts, seeds: comparison.seeds,
      before: before, after: after
    ).write()
  }

  /// Prints at once: progress lines go past the buffer of standard output.
  private func say(_ text: String) {
    print(text)
    fflush(nil)
  }

  /// A preset changed for this run: where it lives, free ports, and with another number of steps as many epochs as give
  /// the preset's number of updates, one a trained step and minibatch.
  private func settings(_ folder: URL, _ preset: Configuration) throws -> [String] {
    let ports = try FreePorts.endpoints(4)
    func trained(_ steps: Int) -> Int { max(1, steps - (preset.training.finalStep ? 0 : 1)) }
    let updates = preset.training.epochs * trained(preset.sampling.steps)
    return [
      "training.epochs=\(max(1, updates / trained(steps)))",
      "run.folder=\(folder.path)", "run.seed=\(seed)", "run.threads=0", "sampling.steps=\(steps)",
      "network.learner=\(ports[0])", "network.notices=\(ports[1])", "network.routers=[\"\(ports[2])\"]",
      "network.routerBackends=[\"\(ports[3])\"]",
    ] + overrides
  }

  private func train(_ configuration: Configuration, _ plan: RunPlan, _ folder: URL) throws -> Supervisor.Outcome {
    say("\nTraining for at most \(ProgressLine.clock(60 * minutes)) minutes with \(actors) actors:")
    let display = RunDisplay(folder: folder, configuration: configuration, minutes: minutes)
    let supervisor = Supervisor(
      try plan.children(configuration, programs: RunPlan.programs), logs: RunFolder.logs(folder), report: display.say)
    let outcome = try RunFolder.clearingFailedStart(folder) {
      try supervisor.run(until: Date(timeIntervalSinceNow: 60 * minutes), tick: display.update)
    }
    display.finish()
    return outcome
  }

  private func chooseFolder() throws -> URL {
    let runs = URL(filePath: "runs").absoluteURL
    if let name { return runs.appending(path: name) }
    let stem = "quickstart-\(reward.rawValue)"
    let names = [stem] + (2...999).map { "\(stem)-\($0)" }
    func isTaken(_ name: String) -> Bool { RunFolder.holdsRun(runs.appending(path: name)) }
    let found = resume ? names.last { isTaken($0) } : names.first { !isTaken($0) }
    guard let found else {
      throw CommandError("\(runs.path): expected \(resume ? "a quickstart to resume, found none" : "a free name")")
    }
    return runs.appending(path: found)
  }

  /// The project's configs/, from the working directory or the program's place upwards.
  private static func preset(_ name: String) throws -> URL {
    for start in [URL(filePath: FileManager.default.currentDirectoryPath), RunPlan.programs] {
      var folder = start
      while folder.path != "/" {
        let file = folder.appending(path: "configs/\(name).yaml")
        if FileManager.default.fileExists(atPath: file.path) { return file }
        folder.deleteLastPathComponent()
      }
    }
    throw CommandError("configs/\(name).yaml: expected it in the working directory or above, found none; "
      + "call stepwise from the project's folder")
  }
}

/// Measures policies on the configuration's held-out prompts.
struct Comparison {
  let prompts: [String]
  let seeds: Int
  private let generator: PictureGenerator
  private let evaluation: Evaluation

  init(_ configuration: Configuration) throws {
    prompts = try configuration.evaluationPrompts()
    seeds = configuration.evaluation.seeds
    let scorers = try configuration.reward.weights.keys.sorted().map {
      try ScorerRegistry.make($0, configuration.reward)
    }
    let hasCLIP = FileManager.default.fileExists(atPath: configuration.reward.alignmentModel)
    generator = try PictureGenerator(
      TextToImageModel(folder: URL(filePath: configuration.run.model)), lora: nil,
      settings: SamplingSettings(
        steps: configuration.sampling.steps, guidance: configuration.sampling.guidanceScale,
        eta: configuration.sampling.eta, spacing: .init(configuration.sampling.timestepSpacing)))
    evaluation = Evaluation(
      prompts: prompts, firstSeed: 1000, seeds: seeds, scorers: scorers,
      clip: hasCLIP ? try Alignment(folder: URL(filePath: configuration.reward.alignmentModel)) : nil)
  }

  var size: String { "\(prompts.count) held-out prompts, \(seeds) pictures each" }

  func measure(lora: URL?) throws -> Evaluation.Result {
    try generator.load(lora: lora)
    let progress = ProgressLine("pictures", total: prompts.count * seeds, output: .standardOutput)
    return try evaluation.measure(generator, lora: lora?.path) { progress.update($0) }
  }
}
