// The program of an actor: it joins a learner, samples, requests scores, and delivers trajectory groups.

internal import Actor
internal import ArgumentParser
internal import Configuration
internal import Foundation
internal import Programs
internal import Settings

@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-actor", abstract: "Sample trajectory groups for a learner until its run is finished.")

  @OptionGroup var configuration: ConfigurationArguments

  @Option(help: "Name of this actor, unique in the run.")
  var name = "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"

  @Option(help: "Counts the starts of the named actor: larger at each start.")
  var incarnation = Int(Date().timeIntervalSince1970)

  @Option(help: "The endpoint of the learner, instead of network.learner.")
  var learner: String?

  @Option(help: "The endpoint of the learner's announcements, instead of network.notices.")
  var notices: String?

  @Option(help: "The endpoint of a router, instead of network.routers. May be repeated.")
  var router: [String] = []

  @Option(help: "Seconds to wait for the learner, instead of network.connectTimeout.")
  var connectTimeout: Double?

  func validate() throws {
    if incarnation < 0 { throw ValidationError("--incarnation: expected 0 or more, found \(incarnation)") }
    if let connectTimeout, !(connectTimeout > 0 && connectTimeout.isFinite) {
      throw ValidationError("--connect-timeout: expected seconds above 0, found \(connectTimeout)")
    }
  }

  func run() async throws {
    var configuration = try configuration.load()
    if let learner { configuration.network.learner = learner }
    if let notices { configuration.network.notices = notices }
    if !router.isEmpty { configuration.network.routers = router }
    if let connectTimeout { configuration.network.connectTimeout = connectTimeout }
    try await ActorRun.run(ActorOptions(configuration, name: name, incarnation: incarnation))
  }
}
