// Between a server's network and its scorers: jobs one way, answers the other, and how long the present job has taken.

internal import Messages
internal import Synchronization
internal import Transport

/// Where the two threads of a server meet.
final class ScoringDesk: Sendable {
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

  init(bell: WakeUp) { answers = Mailbox(bell: bell) }

  /// How long the scorers have been on their request; nil when they are idle.
  var busyFor: Duration? { begun.withLock { $0.map { ContinuousClock.now - $0 } } }

  /// Scores until the desk closes.
  func work(_ loop: ScoringLoop) {
    while let job = jobs.take() {
      // Nobody waits for it any more; answering at once gives the credit back.
      guard job.deadline > .now else {
        answers.put(Answer(router: job.router, reply: ScoreReply(id: job.request.id, results: [])))
        continue
      }
      begun.withLock { $0 = .now }
      let reply = loop.answer(job.request)
      begun.withLock { $0 = nil }
      answers.put(Answer(router: job.router, reply: reply))
    }
  }

  func close() { jobs.close() }
}
