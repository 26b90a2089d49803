// The faults that can be injected, and their probabilities.

import Engine
import Roles
import Supervision

enum TortureFault: Equatable {
  /// SIGKILL; the part is started again within two seconds.
  case kill
  /// SIGSTOP, and SIGCONT after some seconds.
  case pause(Double)
  /// SIGTERM: the part must end in order, and is started again.
  case terminate
  /// The connections of the part are reset.
  case cut
  /// The connections of the part pass nothing for some seconds.
  case hold(Double)
  /// An actor is stopped, a new incarnation of it starts, and then the old one continues.
  case twin
  /// The disk is full for some seconds.
  case fullDisk(Double)
  /// The learner is killed, and its journal ends in a part of a record.
  case tornTail

  /// Names of all faults in the account.
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

  /// Draws a fault for a part with this role.
  ///
  /// - Parameter longestPause: seconds of SIGSTOP; nil draws up to twice the silence limit.
  static func draw(
    for role: Role, canFillDisk: Bool, longestPause: Double? = nil, _ random: inout RandomStream
  ) -> TortureFault {
    // Shorter and longer than the silence limit.
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
