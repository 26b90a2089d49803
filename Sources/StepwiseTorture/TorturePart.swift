// One process of a torture run. Router, reward server and actor run the code of the programs, with synthetic results.

import Actor
import ArgumentParser
import Configuration
import Foundation
import Logging
import RewardServer
import Rewards
import Roles
import Threads
import Transport

/// Scores a picture by its first byte, so that every score can be checked.
struct FirstByteScorer: Scorer {
  let name = SyntheticGroups.reward
  let version = "1"

  func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    prompts.indices.map { Float(images[$0 * height * width * 3]) }
  }
}

extension Role: ExpressibleByArgument {}

struct TorturePart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "part", abstract: "Run one process of the local cluster.", shouldDisplay: false)

  @Argument var role: Role
  @Option var folder: String
  @Option var seed: UInt64
  @Option var name: String
  @Option var incarnation = 0
  @Option(help: "Index of the router.") var index = 0
  @Option(help: "Number of actors in this process.") var count = 1
  @Option(help: "Milliseconds that a batch takes.") var pace = 100
  @Option(name: .customLong("set")) var overrides: [String] = []

  func run() throws {
    let plan = TorturePlan(folder: URL(filePath: folder), seed: seed)
    let whole = try Configuration(file: plan.configurationFile, overrides: overrides)
    let logger = serviceLogger(name)
    let context = try Context()
    switch role {
    case .router:
      let router = try RouterRun.start(context, whole, index: index, logger: logger)
      try Self.untilSignal(router.stop) { try router.join() }
    case .rewardServer:
      var options = ScoringOptions(name: name, reward: whole.reward, network: whole.network)
      options.reward.requestsAtOnce = 2
      options.stuckLimit = .seconds(5)
      let server = try ScoringService(context, options, logger: logger) { [FirstByteScorer()] }
      try Self.untilSignal(server.stop) { try server.join() }
    case .actor:
      let actors = try (0..<count).map { try actor($0, of: count, whole, plan, context, logger) }
      try Self.untilSignal({ for actor in actors { actor.stop() } }) {
        for actor in actors {
          let reason = try actor.join()
          logger.info("\(reason)")
        }
      }
    case .tool: throw ValidationError("part: expected a role other than tool")
    case .learner:
      try FileManager.default.createDirectory(at: plan.run, withIntermediateDirectories: true)
      try TortureLearner(configuration: whole, plan: plan, logger: logger).run(context, incarnation: incarnation)
    }
  }

  private func actor(
    _ index: Int, of count: Int, _ whole: Configuration, _ plan: TorturePlan, _ context: Context, _ logger: Logger
  ) throws -> ActorService {
    var options = ActorOptions(whole, name: count == 1 ? name : "\(name).\(index)", incarnation: incarnation)
    options.redelivery = .seconds(count == 1 ? 2 : 20)
    let ledger = try Ledger(file: plan.ledger(name))
    let incarnation = incarnation
    return try ActorService(
      synthetic: context, options, pace: .milliseconds(pace), logger: logger,
      acknowledged: { numbers in
        ledger.write("acknowledged \(incarnation) " + numbers.map(String.init).joined(separator: " "))
      })
  }

  private static func untilSignal(_ stop: @escaping @Sendable () -> Void, _ join: () throws -> Void) throws {
    let signals = try TerminationSignals { _ in stop() }
    defer { withExtendedLifetime(signals) {} }
    try join()
  }
}
