// The program of an actor: it joins a learner, samples, has pictures scored, and delivers.

internal import Actor
internal import ArgumentParser
internal import Configuration
internal import Foundation

@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-actor", abstract: "Samples trajectory groups for a learner, as long as its run lasts.")

  @Option(help: "The run's YAML file; without it, all defaults.")
  var config: String?

  @Option(name: .customLong("set"), help: "Overrides a key, as sampling.batchSize=4; may be repeated.")
  var overrides: [String] = []

  @Flag(help: "Use addresses of other machines without keys, as network.insecure: true.")
  var insecure = false

  @Option(help: "Names this actor; two actors of a run must not share a name.")
  var name = "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"

  @Option(help: "Larger in every later life of the same name.")
  var incarnation = Int(Date().timeIntervalSince1970)

  @Option(help: "The learner's endpoint, instead of network.learner.")
  var learner: String?

  @Option(help: "The endpoint of the learner's announcements, instead of network.notices.")
  var notices: String?

  @Option(help: "A router's endpoint, instead of network.routers; may be repeated.")
  var router: [String] = []

  @Option(help: "Seconds to wait for the learner, instead of network.connectTimeout.")
  var connectTimeout: Double?

  func validate() throws {
    if incarnation < 0 { throw ValidationError("--incarnation: expected 0 or more, found \(incarnation).") }
    if let connectTimeout, !(connectTimeout > 0 && connectTimeout.isFinite) {
      throw ValidationError("--connect-timeout: expected seconds above 0, found \(connectTimeout).")
    }
  }

  func run() async throws {
    var configuration = try Configuration(
      file: config.map { URL(filePath: $0) }, overrides: overrides + (insecure ? ["network.insecure=true"] : []))
    if let learner { configuration.network.learner = learner }
    if let notices { configuration.network.notices = notices }
    if !router.isEmpty { configuration.network.routers = router }
    if let connectTimeout { configuration.network.connectTimeout = connectTimeout }
    try await ActorService.run(ActorOptions(configuration, name: name, incarnation: incarnation))
  }
}
