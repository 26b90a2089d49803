// The program of the learner: it takes in trajectories, trains, and publishes policies.

internal import ArgumentParser
internal import Configuration
internal import Foundation
internal import Learner

@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-learner", abstract: "Trains a policy on what actors deliver, as long as its run lasts.")

  @Option(help: "The run's YAML file; without it, all defaults.")
  var config: String?

  @Option(name: .customLong("set"), help: "Overrides a key, as training.epochs=3; may be repeated.")
  var overrides: [String] = []

  @Flag(help: "Use addresses of other machines without keys, as network.insecure: true.")
  var insecure = false

  @Flag(help: "Go on with the run that run.folder holds; without this it must hold none.")
  var resume = false

  @Flag(help: "Train on stored trajectories, those of --replay, without actors; run.folder must be another.")
  var offline = false

  @Option(
    parsing: .upToNextOption,
    help: "With --offline: replay folders; groups of one epoch are trained on together, the first folder's first.")
  var replay: [String] = []

  func validate() throws {
    if offline != !replay.isEmpty {
      throw ValidationError(
        offline
          ? "--offline: expected --replay and at least one replay folder, found none"
          : "--replay: expected --offline beside it; an online learner keeps its replay in run.folder")
    }
  }

  func run() async throws {
    let configuration = try Configuration(
      file: config.map { URL(filePath: $0) }, overrides: overrides + (insecure ? ["network.insecure=true"] : []))
    if offline {
      try await LearnerRun.runOffline(configuration, replays: replay.map { URL(filePath: $0) }, resumes: resume)
    } else {
      try await LearnerRun.run(configuration, resumes: resume)
    }
  }
}
