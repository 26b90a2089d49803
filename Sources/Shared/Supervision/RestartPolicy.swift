// Decides when a child that died is started again; pure arithmetic on times.

package import Foundation
package import Roles

/// Decides whether a child is started again. A child that keeps failing right after its start ends the run.
package struct RestartPolicy {
  /// Seconds; a child that lives shorter has failed to start.
  package var shortestLife: TimeInterval = 20
  /// Failures to start in a row that end the run.
  var maximumFailures = 3

  private var failures: [String: Int] = [:]

  package enum Decision: Equatable {
    case restart
    /// The run ends with the error of the child.
    case fail
  }

  /// The decision about a child that ended by itself after `lived` seconds.
  package mutating func decision(role: Role, name: String, lived: TimeInterval) -> Decision {
    // The learner saves its state and can be resumed; it fails for reasons that a new start would meet again.
    if role == .learner { return .fail }
    failures[name] = lived < shortestLife ? failures[name, default: 0] + 1 : 0
    return failures[name, default: 0] >= maximumFailures ? .fail : .restart
  }
}
