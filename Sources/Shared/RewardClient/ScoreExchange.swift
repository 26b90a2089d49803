// The score requests of one client. A request moves to another router if its own falls silent, and ends at its deadline
// at the latest, with missing scores if there is no answer. A pure value without sockets or clocks.

package import Messages

package struct ScoreExchange: Sendable {
  package enum Effect: Sendable, Equatable {
    case ask(router: Int, ScoreRequest)
    case scored(number: Int, ScoreReply)
  }

  private struct Pending {
    let number: Int
    let request: ScoreRequest
    let end: Duration
    var router: Int
    var askedAt: Duration
    var retries = 0
    var retryAt: Duration?
  }

  private let silenceLimit: Duration
  private let deadline: Duration
  private let retryPause: Duration
  private var lastHeard: [Duration]
  private var pending: [UInt64: Pending] = [:]
  private var nextID: UInt64 = 1
  private var turn = 0

  /// - Parameters:
  ///   - routers: Number of routers.
  ///   - silenceLimit: Time without a message after which a router counts as lost.
  ///   - deadline: Time after which a score is missing.
  ///   - retryPause: Pause before a request without any score is repeated, at most twice.
  package init(routers: Int, silenceLimit: Duration, deadline: Duration, retryPause: Duration = .seconds(1)) {
    (self.silenceLimit, self.deadline, self.retryPause) = (silenceLimit, deadline, retryPause)
    lastHeard = [Duration](repeating: .zero, count: routers)
  }

  package var count: Int { pending.count }

  /// Abandons all requests. Their answers will be ignored.
  package mutating func forgetAll() { pending = [:] }

  /// Submits a request.
  ///
  /// - Parameters:
  ///   - request: This method sets its `id` and `deadline`.
  ///   - number: Chosen by the caller, returned with the scores.
  ///   - now: Time since any fixed moment, in all methods.
  package mutating func submit(_ request: ScoreRequest, number: Int, now: Duration) -> [Effect] {
    var request = request
    request.id = nextID
    request.deadline = max(1, Int(deadline / .milliseconds(1)))
    let router = nextRouter(otherThan: nil, now: now)
    pending[nextID] = Pending(number: number, request: request, end: now + deadline, router: router, askedAt: now)
    nextID += 1
    return [.ask(router: router, request)]
  }

  package mutating func heard(router: Int, now: Duration) { lastHeard[router] = now }

  /// A request could not be sent, because the router is not connected or its queue is full. It is soon sent to another
  /// router, if there is one.
  package mutating func notSent(_ id: UInt64, now: Duration) {
    guard let asked = pending[id] else { return }
    let router = nextRouter(otherThan: asked.router, now: now)
    pending[id]?.router = router
    pending[id]?.retryAt = now + .milliseconds(50)
  }

  package mutating func reply(_ reply: ScoreReply, router: Int, now: Duration) -> [Effect] {
    heard(router: router, now: now)
    guard let asked = pending[reply.id] else { return [] }
    let fits = Set(reply.results.map(\.reward)) == Set(asked.request.rewards)
      && reply.results.allSatisfy { $0.misfit(to: asked.request) == nil }
    let failed = !fits || reply.results.contains { !$0.error.isEmpty && $0.isEmpty }
    // A request is not repeated after its deadline, which is also that of the router.
    if failed, asked.retries < 2, now + retryPause < asked.end {
      pending[reply.id]?.retries += 1
      pending[reply.id]?.retryAt = now + retryPause
      return []
    }
    pending[reply.id] = nil
    return [.scored(number: asked.number, fits ? reply : asked.request.missing("the reply did not match the request"))]
  }

  package mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    for (id, asked) in pending.sorted(by: { $0.key < $1.key }) {
      // A second later than the router, so that its reason can arrive.
      if now >= asked.end + .seconds(1) {
        pending[id] = nil
        let waited = Int((now - asked.end + deadline).components.seconds)
        effects.append(.scored(number: asked.number, asked.request.missing("no router answered within \(waited) s")))
      } else if now < asked.end, let time = asked.retryAt, now >= time {
        effects.append(ask(id, router: asked.router, now: now))
      } else if now < asked.end, now - max(lastHeard[asked.router], asked.askedAt) > silenceLimit {
        effects.append(ask(id, router: nextRouter(otherThan: asked.router, now: now), now: now))
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

  /// The next router in turn, preferably one that is not silent.
  private mutating func nextRouter(otherThan avoided: Int?, now: Duration) -> Int {
    let order = (0..<lastHeard.count).map { (turn + $0) % lastHeard.count }
    let choices = order.filter { $0 != avoided }
    let chosen = choices.first { now - lastHeard[$0] <= silenceLimit } ?? choices.first ?? order[0]
    turn = (chosen + 1) % lastHeard.count
    return chosen
  }
}
