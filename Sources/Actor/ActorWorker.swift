// The compute thread of an actor, which loads the model, binds policies and samples. Jobs run in their order.

internal import Messages
internal import Synchronization
internal import Threads
internal import Transport

final class ActorWorker: Sendable {
  enum Job: Sendable {
    case bind(bytes: [UInt8], version: Int, tensorCount: Int?)
    case sample([Assignment], RunIdentity)
  }

  enum Outcome: Sendable {
    case ready(modelHash: String)
    case bound(version: Int)
    case sampled([DraftGroup])
    /// The last outcome.
    case failed(any Error)
  }

  private let jobs = Mailbox<Job>()
  private let outcomes: Mailbox<Outcome>
  private let thread: ServiceThread
  private let begun = Begun()

  private final class Begun: Sendable {
    let time = Mutex<ContinuousClock.Instant?>(nil)
  }

  /// Starts to load the model with `source`, on the compute thread.
  init(waker: Waker, source: @escaping @Sendable () throws -> any GroupSource) {
    let outcomes = Mailbox<Outcome>(waker: waker)
    self.outcomes = outcomes
    thread = ServiceThread(name: "sampling") { [jobs, begun] in
      do {
        let sampler = try source()
        outcomes.put(.ready(modelHash: sampler.modelHash))
        while let job = jobs.take() {
          begun.time.withLock { $0 = .now }
          let outcome = try Self.run(job, sampler)
          begun.time.withLock { $0 = nil }
          outcomes.put(outcome)
        }
      } catch {
        outcomes.put(.failed(error))
      }
    }
  }

  private static func run(_ job: Job, _ sampler: any GroupSource) throws -> Outcome {
    switch job {
    case .bind(let bytes, let version, let tensorCount):
      try sampler.bind(bytes, version: version, tensorCount: tensorCount)
      return .bound(version: version)
    case .sample(let assignments, let run):
      let version = assignments[0].policyVersion
      guard sampler.policyVersion == version else {
        let bound = sampler.policyVersion.map(String.init) ?? "none"
        throw ActorError("expected policy \(version) to be bound, found \(bound)")
      }
      return .sampled(try sampler.sample(assignments, run: run))
    }
  }

  func begin(_ job: Job) { jobs.put(job) }

  func finished() -> [Outcome] { outcomes.takeAll() }

  /// The time since the start of the current job; nil if there is none.
  var busyFor: Duration? { begun.time.withLock { $0.map { .now - $0 } } }

  /// Waits for the next outcome; nil after `timeout`.
  func next(timeout: Duration) -> Outcome? { outcomes.take(timeout: timeout) }

  func end() throws {
    jobs.close()
    try thread.join()
  }
}
