// The entry point of an actor, from a configuration to its end. The program and `stepwise` call it.

internal import Configuration
internal import Engine
internal import Foundation
internal import Glibc
package import Logging
internal import Roles
internal import Settings
internal import Threads
internal import Transport

package enum ActorRun {
  /// Runs an actor until the run is finished, or until SIGINT or SIGTERM arrives. Ends the process with
  /// `ActorStuck.exitStatus` if the sampler is stuck.
  package static func run(_ options: ActorOptions, logger: Logger = serviceLogger("actor")) async throws {
    let threads = options.configuration.run.threads
    try Compute.start(threads: threads == 0 ? nil : threads)
    logger.info("actor \(options.name): \(Compute.summary)")
    let context = try Context(security: options.network.security(for: .actor))
    let actor = try ActorService(context, options, logger: logger)
    let signals = try TerminationSignals { signal in
      logger.info("actor \(options.name): stops on \(signal)")
      actor.stop()
    }
    defer { withExtendedLifetime(signals) {} }
    do {
      let reason = try await actor.ended()
      logger.info("actor \(options.name): \(reason)")
    } catch let stuck as ActorStuck {
      logger.critical("\(stuck)")
      _exit(ActorStuck.exitStatus)
    }
  }
}
