// The folder and the configuration of a torture run.

import Actor
import Configuration
import Foundation
import Supervision
import Transport

struct TorturePlan {
  /// Contains logs, ledgers and the configuration; the folder `disk` in it contains the run.
  let folder: URL
  let seed: UInt64
  var kept = 1_000_000_000

  var runID: String { "torture-\(seed)" }
  var disk: URL { folder.appending(path: "disk") }
  var run: URL { disk.appending(path: "run") }
  var replay: URL { run.appending(path: "replay") }
  var configurationFile: URL { folder.appending(path: "torture.yaml") }
  var logs: URL { folder.appending(path: "logs") }

  func ledger(_ name: String) -> URL { folder.appending(path: "ledger-\(name).txt") }

  /// The silence limit in seconds; there are faults that are shorter and faults that are longer.
  static let silence = 3.0

  /// More actors than this share four processes, and their connections have no proxies.
  static let maximumProcesses = 16

  static func shares(of actors: Int) -> [Int] {
    guard actors > maximumProcesses else { return [Int](repeating: 1, count: actors) }
    return (0..<4).map { actors / 4 + ($0 < actors % 4 ? 1 : 0) }
  }

  /// The configuration of all parts, with short time limits, so that minutes cover what takes days otherwise.
  ///
  /// - Parameters:
  ///   - actors: an epoch has two batches of work for each, and four where there are many.
  ///   - batch: groups per batch of an actor.
  /// - Throws: `TransportError` when the system has no free ports.
  func configuration(routers: Int, actors: Int, batch: Int) throws -> Configuration {
    let ports = try FreePorts.endpoints(2 + 2 * routers)
    var configuration = Configuration()
    configuration.run.folder = run.path
    configuration.run.seed = seed
    configuration.run.threads = 1
    configuration.sampling.steps = 3
    // The last groups of an epoch are still being made when the next epoch starts: two epochs are open, and together
    // they have more work than all actors can hold.
    configuration.sampling.groupsPerEpoch = max(16, (actors > Self.maximumProcesses ? 4 : 2) * actors * batch)
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
    // A thousand actors send heartbeats less often.
    let many = actors > Self.maximumProcesses
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
