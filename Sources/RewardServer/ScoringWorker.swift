// Between a server's network and its scorers: jobs one way, answers the other, and how long the present job has taken.

internal import Messages
internal import Synchronization
internal import Threads
internal import Transport

/// Where the two threads of a server meet.
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

  /// How long the scorers have been on their request; nil when they are idle.
  var busyFor: Duration? { begun.withLock { $0.map { ContinuousClock.now - $0 } } }

  /// Scores until the desk closes, several requests at once where they come together.
  func work(_ loop: ScorerSet, batchDelay: Duration) {
    while let first = jobs.take() {
      var batch = [first], count = first.request.images.count
      let end = ContinuousClock.now + batchDelay
      while count < loop.batchSize, let next = jobs.take(timeout: max(.zero, end - .now)) {
        batch.append(next)
        count += next.request.images.count
      }
      // Nobody waits any more for those past their deadline; answering at once gives the credit back.
      let now = ContinuousClock.now
      for job in batch where job.deadline <= now { put(ScoreReply(id: job.request.id, results: []), for: job) }
      batch.removeAll { $0.deadline <= now }
      guard !batch.isEmpty else { continue }
      begun.withLock { $0 = now }
      let replies = loop.answer(batch.map(\.request))
      begun.withLock { $0 = nil }
      for (job, reply) in zip(batch, replies) { put(reply, for: job) }
    }
  }

  private func put(_ reply: ScoreReply, for job: Job) { answers.put(Answer(router: job.router, reply: reply)) }

  func close() { jobs.close() }
}
