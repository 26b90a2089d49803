// Programs that another one started for a run do not outlive it, however it ends: nobody would stop them.

internal import CSystem
internal import Glibc

/// The process that started this one.
package enum ParentProcess {
  /// Environment variable by which a supervisor says that its children are to end with it; its process number.
  package static let variable = "STEPWISE_SUPERVISOR"

  /// Has the system send SIGTERM to this process when its supervisor ends, by SIGKILL too. Does nothing where no
  /// supervisor asked for it.
  ///
  /// The system forgets it with the thread that asked, so ask on one that lives as long as the process.
  static func dieWithIt() {
    guard let text = getenv(variable), let supervisor = Int32(String(cString: text)) else { return }
    sw_signal_on_parent_death(SIGTERM)
    // It may have ended before the system was asked: nothing has begun that would have to end in order.
    if getppid() != supervisor { _exit(128 + SIGTERM) }
  }
}
