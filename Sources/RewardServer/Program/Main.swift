// The program of the reward roles: `serve` scores pictures, `route` spreads the requests over reward servers.

internal import ArgumentParser
internal import Foundation
internal import Programs
internal import RewardServer

@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-reward-server", abstract: "Score pictures for a run, or spread the requests over servers.",
    subcommands: [Serve.self, Route.self])
}

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Score pictures with the rewards of the configuration.")

  @OptionGroup var configuration: ConfigurationArguments

  @Option(help: "Name of this server in logs.")
  var name = "scorer-\(ProcessInfo.processInfo.processIdentifier)"

  @Option(help: "Serve clients directly at this endpoint, without a router.")
  var bind: String?

  func run() async throws {
    try await ScoringRun.run(configuration.load(), name: name, bind: bind)
  }
}

struct Route: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Spread the score requests of clients over reward servers.")

  @OptionGroup var configuration: ConfigurationArguments

  @Option(help: "The index of this router in network.routers.")
  var index = 0

  func run() async throws {
    try await RouterRun.run(configuration.load(), index: index)
  }
}
