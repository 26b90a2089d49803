// Turns SIGINT, SIGTERM and SIGUSR1 into calls. It installs handlers instead of ignoring the signals: a child would
// inherit ignored signals and could not be stopped, whereas handlers end at exec.

internal import Durable
internal import Glibc
internal import Synchronization

/// Written once before the first handler is set, then only read.
nonisolated(unsafe) private var signalPipe: Int32 = -1  // a C signal handler can reach nothing but globals

/// Calls a body for every SIGINT, SIGTERM and SIGUSR1 as long as the object exists. SIGUSR1 announces a preemption, as
/// Slurm sends it. A second SIGINT or SIGTERM ends the process at once. The end of the supervisor that started this
/// process counts as SIGTERM.
///
/// Create it on the thread that starts child processes, if any: children inherit the signals that this thread blocks,
/// and the initializer unblocks these three.
package final class TerminationSignals: Sendable {
  private static let numbers = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGUSR1, "SIGUSR1")]
  private static let listeners = Mutex(Listeners())
  private let key: Int

  private struct Listeners {
    var bodies: [Int: @Sendable (String) -> Void] = [:]
    var made = 0
    /// Whether a SIGINT or SIGTERM has been passed on.
    var isEnding = false
    var thread: ServiceThread?
  }

  /// - Parameter body: called with the signal's name, on a separate thread.
  /// - Throws: `SystemError` when no file descriptor is left.
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
        // If the pipe is full, it holds enough signals already.
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

  /// The thread that reads what the handlers write. There is one per process.
  private static func thread() throws -> ServiceThread {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
      throw SystemError("a pipe for signals could not be opened")
    }
    let reading = ends[0]
    signalPipe = ends[1]
    return ServiceThread(name: "signals") {
      ParentProcess.dieWithIt()
      var byte: UInt8 = 0
      while true {
        let count = read(reading, &byte, 1)
        if count == 1 { passOn(Int32(byte)) } else if count == 0 || errno != EINTR { return }
      }
    }
  }

  private static func passOn(_ number: Int32) {
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
