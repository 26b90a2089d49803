// The scoring thread's queue of jobs, its queue of answers, and the duration of the current batch.

internal import Messages
internal import Synchronization
internal import Threads
internal import Transport

/// Connects the scoring thread of a server with its network thread.
final class ScoringWorker: Sendable {
  struct Job: Sendable {
    let router: Int
    let request: ScoreRequest
    let deadline: ContinuousClock.Instant
  }

  struct Answer: Sendable {
    let router: Int
    let reply: ScoreReply
  }

  let jobs = Mailbox<Job>()
  let answers: Mailbox<Answer>
  private let begun = Mutex<ContinuousClock.Instant?>(nil)

  init(waker: Waker) { answers = Mailbox(waker: waker) }

  /// The time since the start of the current batch; nil if there is none.
  var busyFor: Duration? { begun.withLock { $0.map { ContinuousClock.now - $0 } } }

  /// Scores until `close` is called. Requests that arrive together are scored together.
  func work(_ scorers: ScorerSet, batchDelay: Duration) {
    while let first = jobs.take() {
      var batch = [first], count = first.request.images.count
      let end = ContinuousClock.now + batchDelay
      while count < scorers.batchSize, let next = jobs.take(timeout: max(.zero, end - .now)) {
        batch.append(next)
        count += next.request.images.count
      }
      // The client no longer waits for requests past their deadline. An answer without results returns the credit.
      let now = ContinuousClock.now
      for job in batch where job.deadline <= now { put(ScoreReply(id: job.request.id, results: []), for: job) }
      batch.removeAll { $0.deadline <= now }
      guard !batch.isEmpty else { continue }
      begun.withLock { $0 = now }
      let replies = scorers.answer(batch.map(\.request))
      begun.withLock { $0 = nil }
      for (job, reply) in zip(batch, replies) { put(reply, for: job) }
    }
  }

  private func put(_ reply: ScoreReply, for job: Job) { answers.put(Answer(router: job.router, reply: reply)) }

  func close() { jobs.close() }
}
