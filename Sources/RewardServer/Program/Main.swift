// The program of the reward roles: `serve` scores pictures, `route` spreads them over servers.

internal import ArgumentParser
internal import Configuration
internal import Foundation
internal import RewardServer

@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-reward-server", abstract: "Scores pictures for a run, or spreads that work over servers.",
    subcommands: [Serve.self, Route.self])
}

/// Where the configuration comes from.
struct ConfigurationOptions: ParsableArguments {
  @Option(help: "The run's YAML file; without it, all defaults.")
  var config: String?

  @Option(name: .customLong("set"), help: "Overrides a key, as training.epochs=3; may be repeated.")
  var overrides: [String] = []

  @Flag(help: "Use addresses of other machines without keys, as network.insecure: true.")
  var insecure = false

  func load() throws -> Configuration {
    try Configuration(
      file: config.map { URL(filePath: $0) }, overrides: overrides + (insecure ? ["network.insecure=true"] : []))
  }
}

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Score pictures with the rewards of the configuration.")

  @OptionGroup var options: ConfigurationOptions

  @Option(help: "Names this server in logs.")
  var name = "scorer-\(ProcessInfo.processInfo.processIdentifier)"

  @Option(help: "Serve actors directly at this endpoint, without a router.")
  var bind: String?

  func run() async throws {
    try await RewardService.serve(options.load(), name: name, bind: bind)
  }
}

struct Route: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Spread score requests of actors over reward servers.")

  @OptionGroup var options: ConfigurationOptions

  @Option(help: "Which of network.routers to be, counted from 0.")
  var index = 0

  func run() async throws {
    try await RewardService.route(options.load(), index: index)
  }
}
