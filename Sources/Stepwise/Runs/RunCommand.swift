// `stepwise run`: a whole run on this machine from one configuration file.

import ArgumentParser
import Configuration
import Foundation
import Supervision

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run learner, router, reward servers and actors on this machine.",
    discussion: """
      Every program's output is in the run folder's logs/. An actor, router or reward server that dies is started \
      again; Ctrl-C ends the run with a checkpoint, and --resume goes on from there.
      """)

  @Option(help: "The run's YAML file, as configs/emoji-sdpo-alignment.yaml.") var config: String
  @Option(name: .customLong("set"), help: "Override a key, as training.epochs=3; may be given several times.")
  var overrides: [String] = []
  @Option(help: "Actor processes.") var actors = 2
  @Option(help: "Reward server processes.") var rewardServers = 1
  @Option(help: "Stop after so many minutes, with a checkpoint.") var minutes: Double?
  @Flag(help: "Go on from the run folder's last checkpoint.") var resume = false

  func validate() throws {
    guard actors > 0 else { throw ValidationError("--actors: expected a positive number, found \(actors)") }
    guard rewardServers > 0 else {
      throw ValidationError("--reward-servers: expected a positive number, found \(rewardServers)")
    }
    if let minutes, !(minutes > 0) {
      throw ValidationError("--minutes: expected a positive number, found \(minutes)")
    }
  }

  func run() throws {
    let file = URL(filePath: config)
    let whole = try Configuration(file: file, overrides: overrides)
    let folder = URL(filePath: whole.run.folder)
    try RunFolder.prepare(folder, resumes: resume)
    let plan = RunPlan(
      file: file, overrides: overrides, actors: actors, rewardServers: rewardServers, resumes: resume,
      cores: ProcessInfo.processInfo.activeProcessorCount)
    let display = RunDisplay(folder: folder, configuration: whole, minutes: minutes)
    let supervisor = Supervisor(
      try plan.children(whole, programs: RunPlan.programs), logs: RunFolder.logs(folder), report: display.say)
    let outcome = try RunFolder.clearingFailedStart(folder) {
      try supervisor.run(until: minutes.map { Date(timeIntervalSinceNow: 60 * $0) }, tick: display.update)
    }
    display.finish()
    switch outcome {
    case .finished: print("finished; everything is in \(folder.path)")
    case .timeUp, .interrupted: print("stopped with a checkpoint in \(folder.path); --resume goes on")
    }
  }
}

/// A run's folder as this tool sees it.
enum RunFolder {
  static func logs(_ folder: URL) -> URL { folder.appending(path: "logs") }
  static func metrics(_ folder: URL) -> URL { folder.appending(path: "metrics.jsonl") }
  static func checkpoints(_ folder: URL) -> URL { folder.appending(path: "checkpoints") }

  /// The adapter of the newest checkpoint; nil when there is none.
  static func latestAdapter(_ folder: URL) -> URL? {
    let file = checkpoints(folder).appending(path: "latest/pytorch_lora_weights.safetensors")
    return FileManager.default.fileExists(atPath: file.path) ? file : nil
  }

  static func holdsRun(_ folder: URL) -> Bool {
    // The learner's first act is to name the run.
    FileManager.default.fileExists(atPath: folder.appending(path: "run-id").path)
  }

  /// Makes the folder and its logs/.
  ///
  /// - Throws: `CommandError` when it holds a run already, or none to resume.
  static func prepare(_ folder: URL, resumes: Bool) throws {
    if holdsRun(folder) && !resumes {
      throw CommandError(
        "\(folder.path): expected a new folder, found a run; go on with it by --resume, or give another folder")
    }
    if resumes && !holdsRun(folder) {
      throw CommandError("\(folder.path): expected a run to resume, found none")
    }
    do {
      try FileManager.default.createDirectory(at: logs(folder), withIntermediateDirectories: true)
    } catch {
      throw CommandError("\(folder.path): expected a folder that can be made: \(error.localizedDescription)")
    }
  }

  /// Does `body`; when it fails before the learner has begun, only the logs stay, so that the folder can be used again.
  ///
  /// - Throws: what `body` throws.
  static func clearingFailedStart<Result>(_ folder: URL, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      // The learner keeps its configuration once it has loaded everything and is bound.
      if !FileManager.default.fileExists(atPath: folder.appending(path: "config.yaml").path) {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name != "logs" {
          try FileManager.default.removeItem(at: folder.appending(path: name))
        }
      }
      throw error
    }
  }
}
