// The router's mind: which reward server scores what. A pure value: no sockets, no clock. It promises that every
// request is answered exactly once, by its deadline, with scores or with the reason why they are missing; that no
// server gets more than it offered to take; and that a request which loses three servers is given up, not passed on.

internal import Configuration
package import Messages

/// Balances score requests over reward servers.
package struct RouterStateMachine: Sendable {
  /// A connection's name at the router's socket.
  package typealias Peer = [UInt8]

  /// Servers that a batch may lose, or be refused by, before it is given up.
  private static let attempts = 3
  /// Requests of one client that wait or are being scored; one more is answered as missing at once.
  private static let requestsPerClient = 64

  /// What the caller is to do.
  package enum Effect: Sendable, Equatable {
    /// Hand this request to a server.
    case dispatch(Peer, ScoreRequest)
    /// Hand this answer to a client.
    case answer(Peer, ScoreReply)
    /// A server came, or went, in words for the log.
    case note(String)
  }

  struct Server {
    var ready: ServerReady
    var lastHeard: Duration
    var lastUsed = 0
    /// Tasks that it was given and has not answered, also those that nobody waits for any more.
    var inFlight: Set<UInt64> = []
  }

  struct Request {
    let client: Peer
    let request: ScoreRequest
    let deadline: Duration
    var results: [String: ScoreResult] = [:]
  }

  /// One reward of one request.
  struct Task {
    let key: Key
    let reward: String
    var server: Peer?
    /// Names of servers that were lost on it or failed at it, and their connections.
    var failures: [String] = []
    var avoided: Set<Peer> = []
  }

  struct Key: Hashable {
    let client: Peer
    let id: UInt64
  }

  /// Silence after which a server counts as lost.
  let silence: Duration
  var servers: [Peer: Server] = [:]
  var requests: [Key: Request] = [:]
  /// How many of them each client has.
  var requestCounts: [Peer: Int] = [:]
  var tasks: [UInt64: Task] = [:]
  /// Tasks that no server has, the oldest first.
  var waiting: [UInt64] = []
  private var nextTask: UInt64 = 1
  private var uses = 0

  /// A dispatcher that knows nobody.
  package init(silence: Duration = .seconds(NetworkSettings().silenceLimit)) { self.silence = silence }

  /// A client asks for scores.
  ///
  /// - Parameter now: time since any fixed moment, here and everywhere below.
  package mutating func request(_ request: ScoreRequest, from client: Peer, now: Duration) -> [Effect] {
    let key = Key(client: client, id: request.id)
    // Asked again because the answer is late: it will come once.
    if requests[key] != nil { return [] }
    let rewards = request.rewards.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    guard requestCounts[client, default: 0] < Self.requestsPerClient else {
      let reason = "the router holds \(Self.requestsPerClient) unanswered requests of this client already"
      return [.answer(client, request.missing(reason))]
    }
    guard !rewards.isEmpty else { return [.answer(client, ScoreReply(id: request.id, results: []))] }
    requestCounts[client, default: 0] += 1
    requests[key] = Request(
      client: client, request: request, deadline: now + .milliseconds(request.deadline))
    for reward in rewards {
      tasks[nextTask] = Task(key: key, reward: reward)
      waiting.append(nextTask)
      nextTask += 1
    }
    return assign(now: now)
  }

  /// A server offers itself, or says again that it lives.
  package mutating func ready(_ ready: ServerReady, from peer: Peer, now: Duration) -> [Effect] {
    var effects: [Effect] = []
    if servers[peer]?.ready.rewards != ready.rewards {
      let offered = ready.rewards.map { "\($0.name) (\($0.version))" }.joined(separator: ", ")
      effects.append(.note("reward server \(ready.name) offers \(offered), \(ready.credits) requests at once"))
    }
    servers[peer, default: Server(ready: ready, lastHeard: now)].ready = ready
    servers[peer]?.lastHeard = now
    return effects + assign(now: now)
  }

  /// Something else arrived from a server.
  package mutating func heard(from peer: Peer, now: Duration) { servers[peer]?.lastHeard = now }

  /// A server answers.
  package mutating func reply(_ reply: ScoreReply, from peer: Peer, now: Duration) -> [Effect] {
    heard(from: peer, now: now)
    servers[peer]?.inFlight.remove(reply.id)
    guard let task = tasks[reply.id], let request = requests[task.key]?.request else { return assign(now: now) }
    let result = reply.results.first { $0.reward == task.reward }
    let name = servers[peer]?.ready.name ?? "a lost reward server"
    let misfit = result.map { $0.misfit(to: request) } ?? "no score of \(task.reward)"
    if let result, misfit == nil, result.error.isEmpty || !result.isEmpty {
      return finish(reply.id, result) + assign(now: now)
    }
    // An answer of a server that had been given up changes nothing while another one works on it.
    guard task.server == peer else { return assign(now: now) }
    return failed(reply.id, peer, "\(name): \(misfit ?? result?.error ?? "")") + assign(now: now)
  }

  /// A server leaves, or cannot be reached; its work goes to others.
  package mutating func lost(_ peer: Peer, reason: String, now: Duration) -> [Effect] {
    guard let server = servers.removeValue(forKey: peer) else { return [] }
    var effects: [Effect] = [.note("reward server \(server.ready.name) \(reason)")]
    for id in server.inFlight.sorted() where tasks[id]?.server == peer {
      effects += failed(id, peer, "\(server.ready.name) \(reason)")
    }
    return effects + assign(now: now)
  }

  /// A server leaves on purpose: nothing is counted against its work.
  package mutating func goodbye(_ peer: Peer, now: Duration) -> [Effect] {
    guard let server = servers.removeValue(forKey: peer) else { return [] }
    for id in server.inFlight.sorted(by: >) where tasks[id]?.server == peer {
      tasks[id]?.server = nil
      waiting.insert(id, at: 0)
    }
    return [.note("reward server \(server.ready.name) left")] + assign(now: now)
  }

  /// A request could not be handed over just now; it waits for the next occasion.
  package mutating func putBack(_ id: UInt64, from peer: Peer) {
    servers[peer]?.inFlight.remove(id)
    guard tasks[id]?.server == peer else { return }
    tasks[id]?.server = nil
    waiting.insert(id, at: 0)
  }

  /// Time has passed: silent servers are given up, requests past their deadline are answered.
  package mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    let silent = servers.filter { now - $0.value.lastHeard > silence }.keys
    for peer in silent.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      effects += lost(peer, reason: "was silent for \(Int(silence.components.seconds)) s", now: now)
    }
    let late = requests.filter { $0.value.deadline <= now }.keys
    let ids = tasks.filter { late.contains($0.value.key) }.keys.sorted()
    for id in ids {
      guard let task = tasks[id] else { continue }
      effects += give(up: id, lateness(of: task))
    }
    return effects + assign(now: now)
  }

  /// Rewards that connected servers offer, sorted; with a gradient if a server gives one.
  package var offers: [RewardVersion] {
    let all = Set(servers.values.flatMap(\.ready.rewards))
    return all.filter { reward in
      reward.hasGradient || !all.contains(RewardVersion(name: reward.name, version: reward.version, hasGradient: true))
    }.sorted { ($0.name, $0.version) < ($1.name, $1.version) }
  }

  /// Requests that wait for a server, and requests being scored, for the log.
  package var load: (waiting: Int, inFlight: Int, servers: Int) {
    (waiting.count, tasks.count - waiting.count, servers.count)
  }

  /// Gives waiting tasks to the least loaded servers that offer the reward and have credits left.
  private mutating func assign(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    var left: [UInt64] = []
    for id in waiting {
      guard let task = tasks[id], let request = requests[task.key] else { continue }
      if request.request.wantsGradient, let reason = lackOfGradient(task.reward) {
        effects += give(up: id, reason)
        continue
      }
      guard let peer = bestServer(for: task, wantsGradient: request.request.wantsGradient) else {
        left.append(id)
        continue
      }
      uses += 1
      servers[peer]?.lastUsed = uses
      servers[peer]?.inFlight.insert(id)
      tasks[id]?.server = peer
      var copy = request.request
      copy.id = id
      copy.rewards = [task.reward]
      let remaining = request.deadline - now
      copy.deadline = max(1, Int(remaining / .milliseconds(1)))
      effects.append(.dispatch(peer, copy))
    }
    waiting = left
    return effects
  }

  private func bestServer(for task: Task, wantsGradient: Bool) -> Peer? {
    let offering = servers.filter {
      $0.value.ready.rewards.contains { $0.name == task.reward && ($0.hasGradient || !wantsGradient) }
    }
    // Another server is waited for, where there is one, rather than that the same one fails again.
    let fresh = offering.filter { !task.avoided.contains($0.key) }
    let able = (fresh.isEmpty ? offering : fresh).filter { $0.value.inFlight.count < $0.value.ready.credits }
    return able.min { ($0.value.inFlight.count, $0.value.lastUsed) < ($1.value.inFlight.count, $1.value.lastUsed) }?.key
  }

  /// A server was lost on a task, or failed at it.
  private mutating func failed(_ id: UInt64, _ peer: Peer, _ problem: String) -> [Effect] {
    tasks[id]?.server = nil
    tasks[id]?.failures.append(problem)
    tasks[id]?.avoided.insert(peer)
    guard let task = tasks[id] else { return [] }
    if task.failures.count >= Self.attempts {
      return give(up: id, "given up after \(task.failures.count) reward servers: " + task.failures.joined(separator: "; "))
    }
    waiting.insert(id, at: 0)
    return []
  }
}
