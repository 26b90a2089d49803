// SIGINT, SIGTERM and SIGUSR1 as calls. Handlers, not ignored signals: a child inherits what is ignored, and could not
// be stopped; handlers end at exec, and a signal that came while it was blocked is not lost.

internal import Durable
internal import Glibc
internal import Synchronization

/// Written once before the first handler is set, then only read.
nonisolated(unsafe) private var signalPipe: Int32 = -1  // a C signal handler can reach nothing but globals

/// Calls a body for every SIGINT, SIGTERM and SIGUSR1 for as long as it is kept. SIGUSR1 only announces a preemption,
/// as Slurm does; of the two others the second ends the process at once. The end of a supervisor that started this
/// process counts as SIGTERM.
///
/// Make it on the thread that starts children, if there are any: they inherit what that thread blocks, and it lets
/// these three through.
package final class TerminationSignals: Sendable {
  private static let numbers = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGUSR1, "SIGUSR1")]
  private static let listeners = Mutex(Listeners())
  private let key: Int

  private struct Listeners {
    var bodies: [Int: @Sendable (String) -> Void] = [:]
    var made = 0
    /// Whether a SIGINT or SIGTERM has been told to one of those who listen.
    var isEnding = false
    var thread: ServiceThread?
  }

  /// - Parameter body: is called on a thread of its own with the signal's name.
  /// - Throws: `SystemError` when the system has no descriptor left.
  package init(_ body: @escaping @Sendable (_ signal: String) -> Void) throws {
    key = try Self.listeners.withLock { listeners in
      if listeners.thread == nil { listeners.thread = try Self.thread() }
      listeners.made += 1
      listeners.bodies[listeners.made] = body
      return listeners.made
    }
    var ours = sigset_t()
    sigemptyset(&ours)
    for (number, _) in Self.numbers {
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
      sigaddset(&ours, number)
    }
    pthread_sigmask(SIG_UNBLOCK, &ours, nil)
  }

  deinit {
    Self.listeners.withLock { listeners in
      listeners.bodies[key] = nil
      guard listeners.bodies.isEmpty else { return }
      listeners.isEnding = false
      for (number, _) in Self.numbers { signal(number, SIG_DFL) }
    }
  }

  /// The thread that reads what the handlers write; there is one a process.
  private static func thread() throws -> ServiceThread {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
      throw SystemError("no pipe for signals could be opened")
    }
    let reading = ends[0]
    signalPipe = ends[1]
    return ServiceThread(name: "signals") {
      ParentProcess.dieWithIt()
      var byte: UInt8 = 0
      while true {
        let count = read(reading, &byte, 1)
        if count == 1 { tell(Int32(byte)) } else if count == 0 || errno != EINTR { return }
      }
    }
  }

  private static func tell(_ number: Int32) {
    let bodies = listeners.withLock { listeners in
      if number != SIGUSR1 {
        if listeners.isEnding { _exit(128 + number) }
        listeners.isEnding = true
      }
      return Array(listeners.bodies.values)
    }
    let name = numbers.first { $0.0 == number }?.1 ?? "signal \(number)"
    for body in bodies { body(name) }
  }
}
