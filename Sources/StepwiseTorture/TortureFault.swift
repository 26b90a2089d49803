// What can befall a part, and how often; drawn from the torture's seed.

import Roles
import Supervision
import Engine

/// One fault.
enum TortureFault: Equatable {
  /// SIGKILL; started again at once or after a moment.
  case kill
  /// SIGSTOP, and SIGCONT after so many seconds.
  case pause(Double)
  /// SIGTERM: an orderly end, and a new start.
  case terminate
  /// Its connections break.
  case cut
  /// Its connections pass nothing on for so many seconds.
  case hold(Double)
  /// An actor is stopped, a new incarnation of it starts, and then the old one wakes up.
  case twin
  /// The disk is full for so many seconds.
  case fullDisk(Double)
  /// The learner is killed and half a record lies at its journal's end.
  case tornTail

  /// Names of all kinds, as the account has them.
  static let names = ["kill", "pause", "terminate", "cut", "hold", "twin", "full disk", "torn tail"]

  var name: String {
    switch self {
    case .kill: "kill"
    case .pause: "pause"
    case .terminate: "terminate"
    case .cut: "cut"
    case .hold: "hold"
    case .twin: "twin"
    case .fullDisk: "full disk"
    case .tornTail: "torn tail"
    }
  }

  /// Draws a fault that a part of this kind can have.
  ///
  /// - Parameter longestPause: seconds; nil: twice the silence after which a peer counts as lost.
  static func draw(
    for role: Role, canFillDisk: Bool, longestPause: Double? = nil, _ random: inout RandomStream
  ) -> TortureFault {
    // Shorter and longer than the silence after which a peer counts as lost.
    func seconds(_ most: Double) -> Double { 0.2 + most * Double(random.uniform()) }
    switch random.integer(below: 20) {
    case 0..<9: return .kill
    case 9..<12: return .pause(longestPause ?? seconds(2 * TorturePlan.silence))
    case 12, 13: return .terminate
    case 14, 15: return role == .router ? .kill : .cut
    case 16: return role == .router ? .kill : .hold(seconds(1.5 * TorturePlan.silence))
    case 17: return role == .actor ? .twin : .kill
    case 18: return role == .learner && canFillDisk ? .fullDisk(seconds(4)) : .kill
    default: return role == .learner ? .tornTail : .kill
    }
  }
}
