// `stepwise run`: a whole run on this machine from one configuration file.

import ArgumentParser
import Foundation
import Programs
import Supervision

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a learner, routers, reward servers and actors on this machine.",
    discussion: """
      Each program writes a log to logs/ in the run folder. An actor, router or reward server that dies is started \
      again. Ctrl-C stops the run with a checkpoint, and --resume continues it.
      """)

  @Option(help: "YAML file of the run, such as configs/emoji-sdpo-alignment.yaml.") var config: String
  @Option(name: .customLong("set"), help: "Override a key of the file, as training.epochs=3; may be repeated.")
  var overrides: [String] = []
  @Option(help: "Number of actors.") var actors = 2
  @Option(help: "Number of reward servers.") var rewardServers = 1
  @Option(help: "Stop with a checkpoint after this many minutes.") var minutes: Double?
  @Flag(help: "Continue from the newest checkpoint of the run folder.") var resume = false

  func validate() throws {
    try requirePositive(["actors": actors, "reward-servers": rewardServers])
    try requirePositive(["minutes": minutes ?? 1])
  }

  func run() throws {
    let run = try LocalRun(
      URL(filePath: config), overrides: overrides, actors: actors, rewardServers: rewardServers, resumes: resume)
    switch try run.train(minutes: minutes) {
    case .finished: print("finished; the results are in \(run.files.folder.path)")
    case .timeUp, .interrupted:
      print("stopped with a checkpoint in \(run.files.folder.path); continue with --resume")
    }
  }
}
