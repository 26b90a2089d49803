// Ending in order: a flag that goes up once, and the signals that raise it.

internal import Dispatch
internal import Glibc
internal import Synchronization

/// Goes up once and stays up. Safe in any thread.
public final class StopFlag: Sendable {
  private let flag = Atomic(false)

  /// A flag that is down.
  public init() {}

  /// Raises the flag.
  public func set() { flag.store(true, ordering: .releasing) }

  /// Whether it is up.
  public var isSet: Bool { flag.load(ordering: .acquiring) }
}

/// Turns SIGINT, SIGTERM and SIGUSR1 into calls. SIGUSR1 only announces a preemption, as Slurm does; of the two others
/// the second ends the process at once.
public final class TerminationSignals: @unchecked Sendable {  // its sources are only held, never used after init
  private let sources: [any DispatchSourceSignal]

  /// - Parameter body: is called on a queue of its own with the signal's name.
  public init(_ body: @escaping @Sendable (_ signal: String) -> Void) {
    let queue = DispatchQueue(label: "termination signals")
    let seen = StopFlag()
    sources = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGUSR1, "SIGUSR1")].map { number, name in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        if seen.isSet { _exit(128 + number) }
        if number != SIGUSR1 { seen.set() }
        body(name)
      }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }
}
