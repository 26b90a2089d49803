// Where everything of a torture lies and what its parts are told: one folder, one configuration.

import Actor
import Configuration
import Foundation
import Supervision
import Transport

/// A torture's folder and names.
struct TorturePlan {
  /// Holds logs, ledgers and the configuration; `disk` within it holds the run.
  let folder: URL
  let seed: UInt64
  /// Trajectories that the replay keeps.
  var kept = 1_000_000_000

  var runID: String { "torture-\(seed)" }
  /// A disk of its own where one can be mounted, so that it can be filled.
  var disk: URL { folder.appending(path: "disk") }
  var run: URL { disk.appending(path: "run") }
  var replay: URL { run.appending(path: "replay") }
  var configurationFile: URL { folder.appending(path: "torture.yaml") }
  var logs: URL { folder.appending(path: "logs") }

  /// What a part has seen, in its own words.
  func ledger(_ name: String) -> URL { folder.appending(path: "ledger-\(name).txt") }

  /// Time after which a silent peer counts as lost; faults that outlast it are told from those that do not.
  static let silence = 3.0

  /// Actors beyond this share a few processes, and have no cables of their own to cut.
  static let mostProcesses = 16

  /// How many actors each process of actors has.
  static func shares(of actors: Int) -> [Int] {
    guard actors > mostProcesses else { return [Int](repeating: 1, count: actors) }
    return (0..<4).map { actors / 4 + ($0 < actors % 4 ? 1 : 0) }
  }

  /// The configuration of all parts: real roles with short patience, so that minutes hold what days do otherwise.
  ///
  /// - Parameters:
  ///   - routers: how many.
  ///   - actors: how many; an epoch has work for all of them twice, and four times where there are many.
  ///   - batch: groups that an actor makes at once.
  /// - Throws: `CommandError` when no ports are free.
  func configuration(routers: Int, actors: Int, batch: Int) throws -> Configuration {
    let ports = try FreePorts.endpoints(2 + 2 * routers)
    var configuration = Configuration()
    configuration.run.folder = run.path
    configuration.run.seed = seed
    configuration.run.threads = 1
    configuration.sampling.steps = 3
    // An epoch's last groups are still being made when the next one's are handed out: two epochs are open, and hold
    // more work than all actors have in hand.
    configuration.sampling.groupsPerEpoch = max(16, (actors > Self.mostProcesses ? 4 : 2) * actors * batch)
    configuration.sampling.batchSize = batch
    configuration.sampling.prompts = ["cat", "dog", "frog"]
    configuration.reward.weights = [SyntheticGroups.reward: 1]
    configuration.training.epochs = 1_000_000_000
    configuration.training.maximumStaleness = 1
    configuration.replay.segmentGroups = 256
    configuration.replay.maximumTrajectories = kept
    configuration.replay.maximumBytes = 1 << 40
    configuration.network.learner = ports[0]
    configuration.network.notices = ports[1]
    configuration.network.routers = Array(ports[2..<2 + routers])
    configuration.network.routerBackends = Array(ports[(2 + routers)...])
    // A thousand actors say that they live less often.
    let many = actors > Self.mostProcesses
    configuration.network.heartbeatInterval = many ? 5 : 0.5
    configuration.network.silenceLimit = many ? 30 : Self.silence
    configuration.network.scoreDeadline = many ? 60 : 8
    configuration.network.leaseDuration = many ? 60 : 6
    configuration.network.connectTimeout = 120
    configuration.network.maximumMessageBytes = 1 << 20
    configuration.network.policyChunkBytes = 1 << 16
    return configuration
  }
}
