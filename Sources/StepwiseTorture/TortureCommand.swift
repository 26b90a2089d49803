// `stepwise-torture`: injects faults into a local cluster for some minutes, and accounts for every group.

import ArgumentParser
import Foundation
import Programs
import Roles
import Supervision

@main
struct TortureProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-torture",
    abstract: "Inject random faults into a local cluster, and account for every group.",
    discussion: "The options are those of the subcommand run: see stepwise-torture run --help.",
    subcommands: [TortureCommand.self, TorturePart.self], defaultSubcommand: TortureCommand.self)
}

struct TortureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Inject random faults into a local cluster, and account for every group.",
    discussion: """
      Routers, reward servers, synthetic actors and a learner without training run the code of the programs. They are \
      killed, stopped, restarted and disconnected, and their disk is filled. At the end every acknowledged group must \
      be stored exactly once and unchanged; the exit status is 1 otherwise. docs/faults.md lists faults and results.
      """)

  @Option(help: "Minutes to run.") var minutes = 1.0
  @Option(help: "Seed of the faults; their exact times also depend on the machine.") var seed: UInt64 = 1
  @Option(help: "JSON file to write the account to.") var json: String?
  @Option(help: "New folder for logs, ledgers and the replay. (default: a temporary folder, kept after a failure)")
  var folder: String?
  @Option(help: "Number of synthetic actors; more than 16 share four processes.") var actors = 4
  @Option(help: "Number of reward servers.") var rewardServers = 3
  @Option(help: "Number of routers.") var routers = 2
  @Option(help: "Groups per batch of an actor.") var batch = 4
  @Flag(help: "Inject no faults: measure the cluster under load.") var calm = false
  @Option(help: "Milliseconds that an actor takes for a batch; 0 makes batches as fast as the learner takes them.")
  var pace = 100
  @Option(help: "Trajectories that the replay keeps. (default: all)") var kept: Int?
  @Option(help: "Maximum seconds between two faults.") var pause = 3.0
  @Option(
    parsing: .upToNextOption,
    help: "Inject these faults only, named as in the account: kill, pause, \"terminate learner\", and so on.")
  var only: [String] = []
  @Option(help: "Seconds for which a part is stopped with SIGSTOP. (default: random, up to 6)") var stop: Double?
  @Flag(help: "Print every fault.") var verbose = false

  func validate() throws {
    try requirePositive(["minutes": minutes, "pause": pause])
    try requirePositive([
      "actors": actors, "reward-servers": rewardServers, "routers": routers, "batch": batch, "kept": kept ?? 1,
    ])
    let parts = [Role.router, .rewardServer, .actor, .learner].map(\.rawValue)
    let known = TortureFault.names + TortureFault.names.flatMap { fault in parts.map { "\(fault) \($0)" } }
    for fault in only where !known.contains(fault) {
      throw ValidationError(
        "--only: expected one of \(TortureFault.names.joined(separator: ", ")), alone or followed by one of "
          + "\(parts.joined(separator: ", ")); found \(fault)")
    }
    if let stop, !(stop > 0 && stop <= 600) {
      throw ValidationError("--stop: expected more than 0 and at most 600, found \(stop)")
    }
    guard pace >= 0 else { throw ValidationError("--pace: expected 0 or more, found \(pace)") }
  }

  func run() throws {
    let files = FileManager.default
    let place = folder.map { URL(filePath: $0).absoluteURL.standardizedFileURL }
      ?? files.temporaryDirectory.appending(path: "stepwise-torture-\(UUID().uuidString)")
    guard !files.fileExists(atPath: place.path) else {
      throw CommandError("\(place.path) exists already; choose a new folder")
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
      print("the logs and ledgers are in \(place.path)")
    }
    if !report.isGood { throw ExitCode(1) }
  }
}
