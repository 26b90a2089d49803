// SIGINT and SIGTERM as events. Handlers, not ignored signals: a child inherits what is ignored, and could not be
// stopped; handlers end at exec.

import Foundation
import Glibc
import Transport

/// Written once before the handlers are set, then only read.
nonisolated(unsafe) private var signalPipe: Int32 = -1  // a C signal handler can reach nothing but globals

/// Calls `body` with the name of every SIGINT and SIGTERM. One a process; make it on the thread that starts children,
/// since they inherit what that thread blocks.
final class SignalListener {
  private let thread: ServiceThread

  /// - Throws: `CommandError` when the system has no descriptor left.
  init(_ body: @escaping @Sendable (String) -> Void) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
      throw CommandError("expected a pipe for signals: \(String(cString: strerror(errno)))")
    }
    let reading = ends[0]
    signalPipe = ends[1]
    thread = ServiceThread(name: "signals") {
      var number: UInt8 = 0
      while true {
        let count = read(reading, &number, 1)
        if count == 1 { body(number == UInt8(SIGINT) ? "SIGINT" : "SIGTERM") } else if errno != EINTR { return }
      }
    }
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        var byte = UInt8(truncatingIfNeeded: number)
        let saved = errno
        // A full pipe holds signals enough.
        _ = write(signalPipe, &byte, 1)
        errno = saved
      }
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
  }
}
