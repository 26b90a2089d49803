// `stepwise-torture`: a cluster on this machine, broken in every way for minutes, and an account of every group.

import ArgumentParser
import Foundation
import Supervision

@main
struct TortureProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-torture", abstract: "Break a local cluster at random, and account for every group.",
    subcommands: [TortureCommand.self, TorturePart.self], defaultSubcommand: TortureCommand.self)
}

struct TortureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Break a whole local cluster at random, and account for every group.",
    discussion: """
      Routers, reward servers, synthetic actors and a learner that trains nothing run the programs' own code; they are \
      killed, stopped, restarted and cut off from each other, and their disk is filled. At the end every group that \
      was acknowledged must be stored exactly once, as it was made. docs/faults.md tells what is tried and what came of it.
      """)

  @Option(help: "How long.") var minutes = 1.0
  @Option(help: "Every fault follows from it, though not when it comes to the microsecond.") var seed: UInt64 = 1
  @Option(help: "Write the account to this file, as JSON.") var json: String?
  @Option(help: "Keep logs, ledgers and the replay in this new folder; else they go when all is well.") var folder: String?
  @Option(help: "Synthetic actors; more than 16 share four processes.") var actors = 4
  @Option(help: "Reward servers.") var rewardServers = 3
  @Option(help: "Routers.") var routers = 2
  @Option(help: "Groups that an actor makes at once.") var batch = 4
  @Flag(help: "Break nothing: put load on, and account for it.") var calm = false
  @Option(help: "Milliseconds that an actor takes for a batch; 0 makes them as fast as they are taken.")
  var pace = 100
  @Option(help: "Trajectories that the replay keeps; all of them when absent.") var kept: Int?
  @Option(help: "Seconds between two faults, at most.") var pause = 3.0
  @Option(
    parsing: .upToNextOption,
    help: "These faults alone, as the account names them: kill, pause, \"terminate learner\", and so on.")
  var only: [String] = []
  @Option(help: "Seconds for which a part is stopped with SIGSTOP; else at random, up to 6.") var stop: Double?
  @Flag(help: "Say what happens as it happens.") var verbose = false

  func validate() throws {
    guard minutes > 0, minutes.isFinite else { throw ValidationError("--minutes: expected more than 0, found \(minutes)") }
    guard pause > 0, pause.isFinite else { throw ValidationError("--pause: expected more than 0, found \(pause)") }
    let counts = [(actors, "actors"), (rewardServers, "reward-servers"), (routers, "routers"), (batch, "batch")]
    for (value, name) in counts where value < 1 {
      throw ValidationError("--\(name): expected at least 1, found \(value)")
    }
    let parts = ["router", "rewardServer", "actor", "learner"]
    let known = TortureFault.names + TortureFault.names.flatMap { fault in parts.map { "\(fault) \($0)" } }
    for fault in only where !known.contains(fault) {
      throw ValidationError(
        "--only: expected \(TortureFault.names.joined(separator: ", ")), "
          + "alone or followed by \(parts.joined(separator: ", ")); "
          + "found \(fault)")
    }
    if let stop, !(stop > 0 && stop <= 600) { throw ValidationError("--stop: expected 0 to 600 seconds, found \(stop)") }
    if let kept, kept < 1 { throw ValidationError("--kept: expected at least 1, found \(kept)") }
    guard pace >= 0 else { throw ValidationError("--pace: expected 0 or more, found \(pace)") }
  }

  func run() throws {
    let files = FileManager.default
    let place = folder.map { URL(filePath: $0).absoluteURL.standardizedFileURL }
      ?? files.temporaryDirectory.appending(path: "stepwise-torture-\(UUID().uuidString)")
    guard !files.fileExists(atPath: place.path) else {
      throw CommandError("\(place.path): expected a new folder, found one that exists; give another")
    }
    try files.createDirectory(at: place, withIntermediateDirectories: true)
    var plan = TorturePlan(folder: place, seed: seed)
    if let kept { plan.kept = kept }
    let rig = try TortureRig(
      plan, routers: routers, rewardServers: rewardServers, actors: actors, batch: batch, pace: pace,
      minutes: minutes
    ) { if verbose { print($0) } }
    rig.only = only
    rig.longestPause = stop
    let report = try rig.run(until: Date(timeIntervalSinceNow: 60 * minutes), pause: calm ? nil : pause)
    for line in report.lines { print(line) }
    if let json { try report.write(to: URL(filePath: json)) }
    if folder == nil, report.isGood {
      try files.removeItem(at: place)
    } else {
      print("logs and ledgers are in \(place.path)")
    }
    if !report.isGood { throw ExitCode(1) }
  }
}
