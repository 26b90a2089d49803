// The program of the learner: it assigns work, stores trajectory groups, trains, and publishes policies.

internal import ArgumentParser
internal import Foundation
internal import Learner
internal import Programs

@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-learner", abstract: "Train a policy on the trajectory groups of actors.")

  @OptionGroup var configuration: ConfigurationArguments

  @Flag(help: "Continue the run in run.folder. Without this flag, the folder must not contain a run.")
  var resume = false

  @Flag(help: "Train on the stored trajectories of --replay, without actors. run.folder must be another folder.")
  var offline = false

  @Option(
    parsing: .upToNextOption,
    help: "With --offline: replay folders. Groups of one epoch are trained on together, in the order of the folders.")
  var replay: [String] = []

  func validate() throws {
    if offline, replay.isEmpty { throw ValidationError("--offline: name at least one replay folder with --replay") }
    if !offline, !replay.isEmpty {
      throw ValidationError("--replay requires --offline; an online learner keeps its replay in run.folder")
    }
  }

  func run() async throws {
    let configuration = try configuration.load()
    if offline {
      try await LearnerRun.runOffline(configuration, replays: replay.map { URL(filePath: $0) }, resumes: resume)
    } else {
      try await LearnerRun.run(configuration, resumes: resume)
    }
  }
}
