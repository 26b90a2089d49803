// The programs of a run on one machine, and their arguments.

package import Configuration
package import Foundation
internal import Roles

package struct RunPlan {
  package let file: URL
  /// `SECTION.KEY=VALUE`, over the file.
  package let overrides: [String]
  package let actors: Int
  package let rewardServers: Int
  package let resumes: Bool
  /// Cores that the programs share.
  package let cores: Int

  package init(file: URL, overrides: [String], actors: Int, rewardServers: Int, resumes: Bool, cores: Int) {
    self.file = file
    self.overrides = overrides
    self.actors = actors
    self.rewardServers = rewardServers
    self.resumes = resumes
    self.cores = cores
  }

  /// - Parameters:
  ///   - configuration: the file with the overrides; its endpoints are passed to every program.
  ///   - programs: folder of the built programs.
  /// - Throws: `CommandError` when a program has not been built.
  package func children(_ configuration: Configuration, programs: URL) throws -> [ChildDescription] {
    let shared = ["--config", file.path] + (overrides + endpoints(configuration.network)).flatMap { ["--set", $0] }
    // Without staleness the learner waits while actors sample, and they wait while it trains: both may use all cores.
    let alternates = configuration.training.maximumStaleness == 0
    let given = configuration.run.threads
    func threads(_ share: Int) -> [String] { ["--set", "run.threads=\(given > 0 ? given : max(1, share))"] }
    func child(_ name: String, _ role: Role, _ program: String, _ arguments: [String]) throws
      -> ChildDescription
    {
      let url = programs.appending(path: program)
      guard FileManager.default.isExecutableFile(atPath: url.path) else {
        throw CommandError("\(url.path) does not exist; build it with `swift build -c release --product \(program)`")
      }
      return ChildDescription(name: name, role: role, program: url, arguments: arguments)
    }
    var children: [ChildDescription] = []
    for index in configuration.network.routers.indices {
      children.append(
        try child(
          "router-\(index)", .router, "stepwise-reward-server", ["route", "--index", "\(index)"] + shared))
    }
    // No reward server is needed where `reward.external` names all rewards.
    for index in 0..<(configuration.reward.served.isEmpty ? 0 : rewardServers) {
      let name = "reward-server-\(index)"
      children.append(
        try child(
          name, .rewardServer, "stepwise-reward-server", ["serve", "--name", name] + shared
            + threads(cores / rewardServers)))
    }
    children.append(
      try child(
        "learner", .learner, "stepwise-learner",
        shared + (resumes ? ["--resume"] : []) + threads(alternates ? cores : cores / 2)))
    for index in 0..<actors {
      let name = "actor-\(index)"
      children.append(
        try child(
          name, .actor, "stepwise-actor", ["--name", name] + shared + threads(cores / actors)))
    }
    return children
  }

  private func endpoints(_ network: NetworkSettings) -> [String] {
    func list(_ endpoints: [String]) -> String { "[\(endpoints.map { "\"\($0)\"" }.joined(separator: ", "))]" }
    return [
      "network.learner=\"\(network.learner)\"", "network.notices=\"\(network.notices)\"",
      "network.routers=\(list(network.routers))", "network.routerBackends=\(list(network.routerBackends))",
    ]
  }

  /// Folder of this program, where the other programs are too.
  package static var programs: URL {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  }
}
