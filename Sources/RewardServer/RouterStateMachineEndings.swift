// The ends of the router's tasks: with the result of a server, or with the reason why there is none.

internal import Messages

extension RouterStateMachine {
  /// The reason why a task past its deadline has no score.
  func lateness(of task: Task) -> String {
    let offered = Set(servers.values.flatMap { $0.ready.rewards.map(\.name) }).sorted()
    let before = task.failures.isEmpty ? "" : "; before: " + task.failures.joined(separator: "; ")
    if let peer = task.server, let server = servers[peer] {
      return "the deadline passed while \(server.ready.name) was scoring\(before)"
    }
    if !offered.contains(task.reward) {
      let known = offered.isEmpty ? "none is connected" : "those connected offer \(offered.joined(separator: ", "))"
      return "no reward server offers \(task.reward); \(known)\(before)"
    }
    return "the deadline passed before a reward server had credits\(before)"
  }

  /// The reason why a reward has no gradient; nil if it has one, or if no server offers the reward yet.
  func lackOfGradient(_ reward: String) -> String? {
    let offering = servers.values.filter { $0.ready.rewards.contains { $0.name == reward } }
    let versions = offering.flatMap { $0.ready.rewards.filter { $0.name == reward } }
    guard !versions.isEmpty, versions.allSatisfy({ !$0.hasGradient }) else { return nil }
    let able = Set(offers.filter(\.hasGradient).map(\.name)).sorted().joined(separator: ", ")
    let servers = offering.map(\.ready.name).sorted().joined(separator: ", ")
    return "the reward \(reward) of \(servers) has no gradient; "
      + (able.isEmpty ? "no offered reward has one" : "rewards with a gradient: \(able)")
  }

  mutating func give(up id: UInt64, _ reason: String) -> [Effect] {
    guard let task = tasks[id], let request = requests[task.key] else { return [] }
    waiting.removeAll { $0 == id }
    let values = [Float?](repeating: nil, count: request.request.prompts.count)
    return finish(id, ScoreResult(reward: task.reward, version: "", values: values, error: reason))
  }

  /// Stores the result of a task. The last one of a request is followed by the reply to the client.
  mutating func finish(_ id: UInt64, _ result: ScoreResult) -> [Effect] {
    guard let task = tasks.removeValue(forKey: id) else { return [] }
    if task.server == nil { waiting.removeAll { $0 == id } }
    requests[task.key]?.results[task.reward] = result
    guard let request = requests[task.key] else { return [] }
    var rewards: [String] = []
    for reward in request.request.rewards where !rewards.contains(reward) { rewards.append(reward) }
    let results = rewards.compactMap { request.results[$0] }
    guard results.count == rewards.count else { return [] }
    requests[task.key] = nil
    let left = requestCounts[task.key.client, default: 1] - 1
    requestCounts[task.key.client] = left > 0 ? left : nil
    return [.answer(request.client, ScoreReply(id: request.request.id, results: results))]
  }
}
