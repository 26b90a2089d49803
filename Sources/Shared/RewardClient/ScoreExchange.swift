// Who asks the routers for scores, and does not let go: a request moves to another router when its own falls silent,
// and ends at its deadline at the latest. A pure value: no sockets, no clock. A score that never came is missing.

package import Messages

/// The score requests of one client over one or more routers.
package struct ScoreExchange: Sendable {
  /// What the caller is to do.
  package enum Effect: Sendable, Equatable {
    /// Hand the request to this router of the list.
    case ask(router: Int, ScoreRequest)
    /// The scores of what was submitted under this number have come, or are missing.
    case scored(number: Int, ScoreReply)
  }

  private struct Pending {
    let number: Int
    let request: ScoreRequest
    let end: Duration
    var router: Int
    var askedAt: Duration
    var retries = 0
    /// A failure is tried again at this time.
    var retryAt: Duration?
  }

  private let silence: Duration
  private let deadline: Duration
  private let retryPause: Duration
  private var lastHeard: [Duration]
  private var pending: [UInt64: Pending] = [:]
  private var nextID: UInt64 = 1
  private var turn = 0

  /// - Parameters:
  ///   - routers: how many there are.
  ///   - silence: after which a router counts as lost.
  ///   - deadline: after which a score is missing.
  ///   - retryPause: before a batch that failed altogether is tried again, at most twice.
  package init(routers: Int, silence: Duration, deadline: Duration, retryPause: Duration = .seconds(1)) {
    self.silence = silence
    self.deadline = deadline
    self.retryPause = retryPause
    lastHeard = [Duration](repeating: .zero, count: routers)
  }

  /// Requests without an answer.
  package var count: Int { pending.count }

  /// Nobody waits for what was asked so far; its answers will be ignored.
  package mutating func forgetAll() { pending = [:] }

  /// Asks for scores.
  ///
  /// - Parameters:
  ///   - request: its `id` and `deadline` are set here.
  ///   - number: the caller's own, given back with the scores.
  ///   - now: time since any fixed moment, here and everywhere below.
  package mutating func submit(_ request: ScoreRequest, number: Int, now: Duration) -> [Effect] {
    var request = request
    request.id = nextID
    request.deadline = max(1, Int(deadline / .milliseconds(1)))
    let router = nextRouter(besides: nil, now: now)
    pending[nextID] = Pending(number: number, request: request, end: now + deadline, router: router, askedAt: now)
    nextID += 1
    return [.ask(router: router, request)]
  }

  /// A router gave a sign of life.
  package mutating func heard(router: Int, now: Duration) { lastHeard[router] = now }

  /// A router is not connected, or its queue is full: another one, where there is one, is asked in a moment.
  package mutating func notTaken(_ id: UInt64, now: Duration) {
    guard let asked = pending[id] else { return }
    let router = nextRouter(besides: asked.router, now: now)
    pending[id]?.router = router
    pending[id]?.retryAt = now + .milliseconds(50)
  }

  /// A router answers.
  package mutating func reply(_ reply: ScoreReply, router: Int, now: Duration) -> [Effect] {
    heard(router: router, now: now)
    guard let asked = pending[reply.id] else { return [] }
    let fits = Set(reply.results.map(\.reward)) == Set(asked.request.rewards)
      && reply.results.allSatisfy { $0.misfit(to: asked.request) == nil }
    let failed = !fits || reply.results.contains { !$0.error.isEmpty && $0.isEmpty }
    // The router's own deadline is ours: nothing is left to try then.
    if failed, asked.retries < 2, now + retryPause < asked.end {
      pending[reply.id]?.retries += 1
      pending[reply.id]?.retryAt = now + retryPause
      return []
    }
    pending[reply.id] = nil
    return [.scored(number: asked.number, fits ? reply : asked.request.missing("the answer did not fit the question"))]
  }

  /// Time has passed.
  package mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    for (id, asked) in pending.sorted(by: { $0.key < $1.key }) {
      // A second more than the router has, so that its reason arrives.
      if now >= asked.end + .seconds(1) {
        pending[id] = nil
        let waited = Int((now - asked.end + deadline).components.seconds)
        effects.append(.scored(number: asked.number, asked.request.missing("no router answered within \(waited) s")))
      } else if now < asked.end, let time = asked.retryAt, now >= time {
        effects.append(ask(id, router: asked.router, now: now))
      } else if now < asked.end, now - max(lastHeard[asked.router], asked.askedAt) > silence {
        effects.append(ask(id, router: nextRouter(besides: asked.router, now: now), now: now))
      }
    }
    return effects
  }

  private mutating func ask(_ id: UInt64, router: Int, now: Duration) -> Effect {
    pending[id]?.router = router
    pending[id]?.askedAt = now
    pending[id]?.retryAt = nil
    var request = pending[id]!.request
    request.deadline = max(1, Int((pending[id]!.end - now) / .milliseconds(1)))
    return .ask(router: router, request)
  }

  /// The next router in turn, rather one that is not silent.
  private mutating func nextRouter(besides avoided: Int?, now: Duration) -> Int {
    let order = (0..<lastHeard.count).map { (turn + $0) % lastHeard.count }
    let choices = order.filter { $0 != avoided }
    let chosen = choices.first { now - lastHeard[$0] <= silence } ?? choices.first ?? order[0]
    turn = (chosen + 1) % lastHeard.count
    return chosen
  }
}
