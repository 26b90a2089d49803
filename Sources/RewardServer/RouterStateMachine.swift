// The dispatch policy of the router: which reward server scores which request. A pure value without sockets or clocks.
// It guarantees that every request is answered exactly once, by its deadline, with scores or the reason why they are
// missing; that no server gets more requests than its credits; and that a request is abandoned after three servers were
// lost or failed on it.

internal import Configuration
package import Messages

package struct RouterStateMachine: Sendable {
  /// The routing identity of a connection.
  package typealias Peer = [UInt8]

  /// Number of servers that may be lost on a request, or fail on it, before it is abandoned.
  private static let attempts = 3
  /// The largest number of unanswered requests of one client. A further request is answered at once, without scores.
  private static let requestsPerClient = 64

  package enum Effect: Sendable, Equatable {
    case dispatch(Peer, ScoreRequest)
    case answer(Peer, ScoreReply)
    case note(String)
  }

  struct Server {
    var ready: ServerReady
    var lastHeard: Duration
    var lastUsed = 0
    /// Tasks that the server has received and not answered, including those that have ended otherwise.
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
    /// The problems of the servers that were lost on the task or failed on it, and their connections.
    var failures: [String] = []
    var avoided: Set<Peer> = []
  }

  struct Key: Hashable {
    let client: Peer
    let id: UInt64
  }

  let silenceLimit: Duration
  var servers: [Peer: Server] = [:]
  var requests: [Key: Request] = [:]
  var requestCounts: [Peer: Int] = [:]
  var tasks: [UInt64: Task] = [:]
  var waiting: [UInt64] = []
  private var nextTask: UInt64 = 1
  private var uses = 0

  /// - Parameter silenceLimit: Time without a message after which a server counts as lost.
  package init(silenceLimit: Duration = .seconds(NetworkSettings().silenceLimit)) { self.silenceLimit = silenceLimit }

  /// Handles a request of a client.
  ///
  /// - Parameter now: time since any fixed moment, here and everywhere below.
  package mutating func request(_ request: ScoreRequest, from client: Peer, now: Duration) -> [Effect] {
    let key = Key(client: client, id: request.id)
    // A repeated request has one answer.
    if requests[key] != nil { return [] }
    let rewards = request.rewards.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    guard requestCounts[client, default: 0] < Self.requestsPerClient else {
      let reason = "the router already has \(Self.requestsPerClient) unanswered requests of this client"
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

  /// Handles the offer of a server, which also serves as a heartbeat.
  package mutating func ready(_ ready: ServerReady, from peer: Peer, now: Duration) -> [Effect] {
    var effects: [Effect] = []
    if servers[peer]?.ready.rewards != ready.rewards {
      let offered = ready.rewards.map { "\($0.name) (\($0.version))" }.joined(separator: ", ")
      effects.append(.note("reward server \(ready.name) offers \(offered), \(ready.credits) requests at a time"))
    }
    servers[peer, default: Server(ready: ready, lastHeard: now)].ready = ready
    servers[peer]?.lastHeard = now
    return effects + assign(now: now)
  }

  /// Notes another message of a server.
  package mutating func heard(from peer: Peer, now: Duration) { servers[peer]?.lastHeard = now }

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
    // A failure of a server that had counted as lost does not matter while another server works on the task.
    guard task.server == peer else { return assign(now: now) }
    return failed(reply.id, peer, "\(name): \(misfit ?? result?.error ?? "")") + assign(now: now)
  }

  /// Removes a server that cannot be reached. Its tasks are passed to others.
  package mutating func lost(_ peer: Peer, reason: String, now: Duration) -> [Effect] {
    guard let server = servers.removeValue(forKey: peer) else { return [] }
    var effects: [Effect] = [.note("reward server \(server.ready.name) \(reason)")]
    for id in server.inFlight.sorted() where tasks[id]?.server == peer {
      effects += failed(id, peer, "\(server.ready.name) \(reason)")
    }
    return effects + assign(now: now)
  }

  /// Removes a server that left on purpose, which does not count as a failure of its tasks.
  package mutating func goodbye(_ peer: Peer, now: Duration) -> [Effect] {
    guard let server = servers.removeValue(forKey: peer) else { return [] }
    for id in server.inFlight.sorted(by: >) where tasks[id]?.server == peer {
      tasks[id]?.server = nil
      waiting.insert(id, at: 0)
    }
    return [.note("reward server \(server.ready.name) left")] + assign(now: now)
  }

  /// Returns a task that could not be sent to the waiting ones.
  package mutating func putBack(_ id: UInt64, from peer: Peer) {
    servers[peer]?.inFlight.remove(id)
    guard tasks[id]?.server == peer else { return }
    tasks[id]?.server = nil
    waiting.insert(id, at: 0)
  }

  package mutating func tick(now: Duration) -> [Effect] {
    var effects: [Effect] = []
    let silent = servers.filter { now - $0.value.lastHeard > silenceLimit }.keys
    for peer in silent.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      effects += lost(peer, reason: "was silent for \(Int(silenceLimit.components.seconds)) s", now: now)
    }
    let late = requests.filter { $0.value.deadline <= now }.keys
    let ids = tasks.filter { late.contains($0.value.key) }.keys.sorted()
    for id in ids {
      guard let task = tasks[id] else { continue }
      effects += give(up: id, lateness(of: task))
    }
    return effects + assign(now: now)
  }

  /// The rewards of the connected servers, sorted. A reward has a gradient if any server offers one.
  package var offers: [RewardVersion] {
    let all = Set(servers.values.flatMap(\.ready.rewards))
    return all.filter { reward in
      reward.hasGradient || !all.contains(RewardVersion(name: reward.name, version: reward.version, hasGradient: true))
    }.sorted { ($0.name, $0.version) < ($1.name, $1.version) }
  }

  /// The numbers of tasks that wait, of tasks that are being scored, and of servers.
  package var load: (waiting: Int, inFlight: Int, servers: Int) {
    (waiting.count, tasks.count - waiting.count, servers.count)
  }

  /// Assigns waiting tasks to the least loaded servers that offer the reward and have credits left.
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
    // A task waits for another server, if there is one, instead of returning to a server that failed on it.
    let fresh = offering.filter { !task.avoided.contains($0.key) }
    let able = (fresh.isEmpty ? offering : fresh).filter { $0.value.inFlight.count < $0.value.ready.credits }
    return able.min { ($0.value.inFlight.count, $0.value.lastUsed) < ($1.value.inFlight.count, $1.value.lastUsed) }?.key
  }

  private mutating func failed(_ id: UInt64, _ peer: Peer, _ problem: String) -> [Effect] {
    tasks[id]?.server = nil
    tasks[id]?.failures.append(problem)
    tasks[id]?.avoided.insert(peer)
    guard let task = tasks[id] else { return [] }
    if task.failures.count >= Self.attempts {
      let problems = task.failures.joined(separator: "; ")
      return give(up: id, "abandoned after \(task.failures.count) reward servers: \(problems)")
    }
    waiting.insert(id, at: 0)
    return []
  }
}
