// The actor's one compute thread: it loads the model, binds policies and samples, job after job.

internal import Messages
internal import Synchronization
internal import Threads
internal import Transport

/// Samples on a thread of its own.
final class ActorWorker: Sendable {
  enum Job: Sendable {
    case bind(bytes: [UInt8], version: Int, tensorCount: Int?)
    case sample([Assignment], RunIdentity)
  }

  enum Outcome: Sendable {
    /// The model is loaded.
    case ready(modelHash: String)
    case bound(version: Int)
    case sampled([DraftGroup])
    /// Nothing more will come.
    case failed(any Error)
  }

  private let jobs = Mailbox<Job>()
  private let outcomes: Mailbox<Outcome>
  private let thread: ServiceThread
  private let begun = Begun()

  /// When the present job began.
  private final class Begun: Sendable {
    let time = Mutex<ContinuousClock.Instant?>(nil)
  }

  /// Starts loading the model.
  ///
  /// - Parameters:
  ///   - bell: is rung when there is an outcome.
  ///   - source: loads it, on the thread that will use it.
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
        throw ActorError("expected policy \(version) to be bound, found \(bound).")
      }
      return .sampled(try sampler.sample(assignments, run: run))
    }
  }

  /// Adds a job.
  func begin(_ job: Job) { jobs.put(job) }

  /// What has been done since the last call.
  func finished() -> [Outcome] { outcomes.takeAll() }

  /// How long the present job has taken; nil when there is none.
  var busyFor: Duration? { begun.time.withLock { $0.map { .now - $0 } } }

  /// Blocks until the next outcome; nil after `timeout`.
  func next(timeout: Duration) -> Outcome? { outcomes.take(timeout: timeout) }

  /// Lets the present job end, and then the thread.
  func end() throws {
    jobs.close()
    try thread.join()
  }
}
