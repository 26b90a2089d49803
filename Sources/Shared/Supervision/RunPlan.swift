// Which programs a run on one machine consists of, and with what arguments.

package import Configuration
package import Foundation
internal import Roles

/// The children of a run, in the order to start them.
package struct RunPlan {
  /// The run's configuration file.
  package let file: URL
  /// `SECTION.KEY=VALUE`, over the file.
  package let overrides: [String]
  package let actors: Int
  package let rewardServers: Int
  package let resumes: Bool
  /// Cores to share out.
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
  ///   - configuration: what file and overrides say together.
  ///   - programs: folder of the built programs.
  /// - Throws: `CommandError` when a program has not been built.
  package func children(_ configuration: Configuration, programs: URL) throws -> [ChildDescription] {
    let shared = ["--config", file.path] + overrides.flatMap { ["--set", $0] }
    // The learner waits while actors sample and they wait while it trains, unless lag is allowed: each phase may have
    // all cores.
    let alternates = configuration.training.maximumStaleness == 0
    let given = configuration.run.threads
    func threads(_ share: Int) -> [String] { ["--set", "run.threads=\(given > 0 ? given : max(1, share))"] }
    func child(_ name: String, _ role: Role, _ program: String, _ arguments: [String]) throws
      -> ChildDescription
    {
      let url = programs.appending(path: program)
      guard FileManager.default.isExecutableFile(atPath: url.path) else {
        throw CommandError("\(url.path): expected this program, found none; build it with `swift build -c release`")
      }
      return ChildDescription(name: name, role: role, program: url, arguments: arguments)
    }
    var children: [ChildDescription] = []
    for index in configuration.network.routers.indices {
      children.append(
        try child(
          "router-\(index)", .router, "stepwise-reward-server", ["route", "--index", "\(index)"] + shared))
    }
    // Where others bring all rewards, a server of ours has nothing to score.
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

  /// Folder of this very program, where its siblings are.
  package static var programs: URL {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  }
}
