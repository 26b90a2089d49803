// When a child that died is started again: arithmetic on times, nothing else.

package import Foundation
package import Roles

/// Decides whether a child may live again. A child that dies young again and again would die for ever.
package struct RestartPolicy {
  /// A life shorter than this is a failure to start.
  package var youngLife: TimeInterval = 20
  /// So many failures to start in a row are too many.
  var mostYoungDeaths = 3

  private var youngDeaths: [String: Int] = [:]

  package enum Decision: Equatable {
    case restart
    /// The whole run ends with the child's error.
    case fail
  }

  /// What to do about a death that nobody asked for.
  package mutating func decision(role: Role, name: String, lived: TimeInterval) -> Decision {
    // The learner's state is what the run is about: its error is the run's.
    if role == .learner { return .fail }
    youngDeaths[name] = lived < youngLife ? youngDeaths[name, default: 0] + 1 : 0
    return youngDeaths[name, default: 0] >= mostYoungDeaths ? .fail : .restart
  }
}
