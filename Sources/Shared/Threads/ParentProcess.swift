// A program that a supervisor started ends when the supervisor ends, even if the supervisor is killed.

internal import CSystem
internal import Glibc

package enum ParentProcess {
  /// Environment variable with the process number of the supervisor. It asks a child to end with the supervisor.
  package static let variable = "STEPWISE_SUPERVISOR"

  /// Makes the system send SIGTERM to this process when its supervisor ends, even by SIGKILL. Does nothing when the
  /// environment names no supervisor.
  ///
  /// The request ends with the thread that made it, so call it on a thread that lives as long as the process.
  static func dieWithIt() {
    guard let text = getenv(variable), let supervisor = Int32(String(cString: text)) else { return }
    sw_signal_on_parent_death(SIGTERM)
    // The supervisor may have ended before the request. Nothing has started yet that needs an orderly end.
    if getppid() != supervisor { _exit(128 + SIGTERM) }
  }
}
