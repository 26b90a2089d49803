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

  @Flag(help: "Go on with the run that run.folder holds; without this it must hold none.")
  var resume = false

  @Option(help: "Train on the trajectories in this replay folder instead, without actors; run.folder must be another.")
  var offline: String?

  func run() async throws {
    let configuration = try Configuration(file: config.map { URL(filePath: $0) }, overrides: overrides)
    if let offline {
      try await LearnerRun.runOffline(configuration, replay: URL(filePath: offline), resumes: resume)
    } else {
      try await LearnerRun.run(configuration, resumes: resume)
    }
  }
}
