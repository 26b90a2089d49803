// A whole cluster on this machine and what befalls it. Faults come one after another from the seed; every part that
// ends is started again; somebody looks all the time whether groups are still being acknowledged.

import Configuration
import Engine
import Foundation
import Roles
import Supervision
import Glibc
import Threads

/// Runs one torture.
final class TortureRig {
  struct Part {
    let role: Role
    let arguments: [String]
    var incarnation = 0
    var process: ChildProcess?
    /// Ended by the rig, so that its end is no surprise.
    var isExpectedToEnd = false
    var isPaused = false
    var startAt: Date?
  }

  let plan: TorturePlan
  private let program: URL
  let disk: TortureDisk
  private let events = Mailbox<ChildEnd>()
  let proxies: [String: LoopbackProxy]
  var parts: [String: Part]
  /// Older incarnations that live on, by their process's number, and until when they may.
  var ghosts: [Int32: Date] = [:]
  var ghostProcesses: [Int32: ChildProcess] = [:]
  /// What is to be mended, and when.
  var mending: [(at: Date, body: () -> Void)] = []
  var isDiskFull = false
  var random: RandomStream
  var report = TortureReport()
  let say: (String) -> Void
  private var usage = ProcessUsage()
  private var lastSize = 0
  private var lastProgress = Date()
  /// No fault of the rig's is in force after this.
  var troubledUntil = Date()

  /// Time without a fault in which something must be acknowledged.
  static let patience: TimeInterval = 30

  /// Kinds of fault, or kinds with the part they befall, as the account names them; empty: all.
  var only: [String] = []
  /// Seconds that a part is stopped for; nil: at random around the silence after which it counts as lost.
  var longestPause: Double?

  private let ledgers: TortureLedgers
  private let actorCount: Int

  /// - Parameters:
  ///   - count: of actors; beyond `TorturePlan.mostProcesses` they share processes.
  ///   - batch: groups that an actor makes at once.
  ///   - pace: milliseconds that a synthetic batch takes.
  ///   - minutes: how long it will run, which the disk's size follows.
  ///   - say: is told what happens.
  /// - Throws: when the folder, the disk or the ports cannot be had.
  init(
    _ plan: TorturePlan, routers: Int, rewardServers: Int, actors count: Int, batch: Int, pace: Int, minutes: Double,
    say: @escaping (String) -> Void
  ) throws {
    self.plan = plan
    self.say = say
    program = RunPlan.programs.appending(path: "stepwise-torture")
    random = RandomStream(seed: plan.seed).fork("torture")
    try FileManager.default.createDirectory(at: plan.logs, withIntermediateDirectories: true)
    disk = try TortureDisk(plan.disk, mebibytes: 64 + Int(32 * minutes))
    report.seed = plan.seed
    if !disk.isOwn { report.leftOut.append("the full disk: no disk of its own can be mounted here; run it as root") }
    let configuration = try plan.configuration(routers: routers, actors: count, batch: batch)
    try configuration.encodeYAML().write(to: plan.configurationFile, atomically: true, encoding: .utf8)
    let network = configuration.network
    var proxies: [String: LoopbackProxy] = [:]
    let shares = TorturePlan.shares(of: count)
    actorCount = count
    let actors = shares.indices.map { "actor-\($0)" }
    ledgers = TortureLedgers(plan, actors: actors)
    func list(_ endpoints: [String]) -> String { "[\(endpoints.joined(separator: ", "))]" }
    var made: [String: Part] = [:]
    func add(_ name: String, _ role: Role, _ arguments: [String]) {
      made[name] = Part(role: role, arguments: arguments)
    }
    let common = ["--folder", plan.folder.path, "--seed", "\(plan.seed)"]
    for index in 0..<routers {
      add("router-\(index)", .router, ["router", "--name", "router-\(index)", "--index", "\(index)"] + common)
    }
    for index in 0..<rewardServers {
      let name = "reward-server-\(index)"
      // Each part has cables of its own, so that its connections alone can break.
      let cables = try network.routerBackends.map { try LoopbackProxy(to: $0) }
      for (router, cable) in cables.enumerated() { proxies["\(name) \(router)"] = cable }
      add(
        name, .rewardServer,
        ["reward-server", "--name", name, "--set", "network.routerBackends=\(list(cables.map(\.endpoint)))"] + common)
    }
    add("learner", .learner, ["learner", "--name", "learner"] + common)
    for (name, share) in zip(actors, shares) where share > 1 {
      add(name, .actor, ["actor", "--name", name, "--pace", "\(pace)", "--count", "\(share)"] + common)
    }
    for (name, share) in zip(actors, shares) where share == 1 {
      let (learner, notices) = (try LoopbackProxy(to: network.learner), try LoopbackProxy(to: network.notices))
      let routers = try network.routers.map { try LoopbackProxy(to: $0) }
      proxies["\(name) learner"] = learner
      proxies["\(name) notices"] = notices
      for (router, cable) in routers.enumerated() { proxies["\(name) \(router)"] = cable }
      add(
        name, .actor,
        [
          "actor", "--name", name, "--pace", "\(pace)", "--set", "network.learner=\(learner.endpoint)", "--set",
          "network.notices=\(notices.endpoint)", "--set", "network.routers=\(list(routers.map(\.endpoint)))",
        ] + common)
    }
    self.proxies = proxies
    parts = made
  }

  /// Tortures, ends everything and accounts.
  ///
  /// - Parameter pause: seconds between two faults, at most; nil: none comes.
  /// - Throws: when the cluster does not begin to work, or cannot be accounted for.
  func run(until end: Date, pause: Double?) throws -> TortureReport {
    defer {
      for part in parts.values { part.process?.send(SIGKILL) }
      for process in ghostProcesses.values { process.send(SIGKILL) }
      for proxy in proxies.values { proxy.end() }
      disk.end()
    }
    let began = Date()
    for name in parts.keys.sorted(by: >) { try start(name) }
    try watch(until: began.addingTimeInterval(120)) { self.ledgers.byteCount > 0 }
    guard ledgers.byteCount > 0 else {
      throw CommandError("\(plan.logs.path): nothing was acknowledged within 120 s; see the logs there")
    }
    // Whoever puts load on is measured when all of it is there: starting and joining are not counted.
    if pause == nil {
      try watch(until: began.addingTimeInterval(120)) { self.ledgers.acknowledgedCount >= self.actorCount }
    }
    let workBegan = Date(), before = ledgers.acknowledgedCount
    usage.halfTime = workBegan.addingTimeInterval(end.timeIntervalSince(workBegan) / 2)
    var next = pause == nil ? end : Date()
    while Date() < end {
      try watch(until: min(end, next)) { false }
      guard Date() < end else { break }
      strike()
      next = Date(timeIntervalSinceNow: 0.1 + (pause ?? 0) * Double(random.uniform()))
    }
    let worked = Date().timeIntervalSince(workBegan)
    let acknowledged = ledgers.acknowledgedCount - before
    usage.tell(&report)
    try recover()
    try finish()
    report.seconds = Date().timeIntervalSince(began)
    try TortureAccounting.account(plan, ledgers, into: &report)
    report.groupsPerSecond = Double(acknowledged) / worked
    report.damage = try TortureDamage.run(
      plan.replay, scratch: plan.folder.appending(path: "damaged"), random: random.fork("damage"),
      until: Date(timeIntervalSinceNow: min(60, 5 + report.seconds / 10)), most: 200)
    return report
  }

  private func start(_ name: String) throws {
    guard var part = parts[name], part.process == nil else { return }
    part.startAt = nil
    part.isExpectedToEnd = false
    part.isPaused = false
    let incarnation = part.incarnation
    part.incarnation += 1
    let events = events
    part.process = try ChildProcess(
      ChildDescription(
        name: name, role: part.role, program: program,
        arguments: ["part"] + part.arguments + ["--incarnation", "\(incarnation)"]),
      start: incarnation, logs: plan.logs
    ) { events.put($0) }
    parts[name] = part
    report.starts += 1
  }

  /// Handles what happens until then, or until `done`.
  private func watch(until end: Date, _ done: () -> Bool) throws {
    while Date() < end, !done() {
      let starts = parts.values.compactMap(\.startAt) + mending.map(\.at)
      let next = min(end, starts.min() ?? end, Date(timeIntervalSinceNow: 0.5))
      if let end = events.take(before: next) { ended(end) }
      for item in mending where item.at <= Date() { item.body() }
      mending.removeAll { $0.at <= Date() }
      for (name, part) in parts where part.startAt.map({ $0 <= Date() }) == true { try start(name) }
      lookForGhosts()
      lookAfterProgress()
      usage.measure(parts.values.compactMap { part in part.process.map { (part.role.rawValue, $0.identifier) } })
    }
  }

  private func ended(_ end: ChildEnd) {
    guard var part = parts[end.name], let process = part.process, end.start == part.incarnation - 1 else {
      // An older incarnation, which is to end.
      for (number, process) in ghostProcesses where process.description.name == end.name && !process.isRunning {
        ghosts[number] = nil
        ghostProcesses[number] = nil
      }
      return
    }
    if part.role == .learner, isDiskFull, !part.isExpectedToEnd {
      // It says so and ends; it is started until there is room.
      report.faults["no start without room learner", default: 0] += 1
    } else if !part.isExpectedToEnd {
      report.unexpectedEnds.append("\(end.name) (\(end.text)): \(ChildProcess.lastWords(in: process.log))")
      say("\(end.name) ended by itself (\(end.text))")
    }
    part.process = nil
    part.startAt = Date(timeIntervalSinceNow: random.integer(below: 3) == 0 ? 2 * Double(random.uniform()) : 0)
    parts[end.name] = part
  }

  private func lookAfterProgress() {
    let size = ledgers.byteCount
    if size != lastSize {
      lastSize = size
      lastProgress = Date()
    } else if Date().timeIntervalSince(max(lastProgress, troubledUntil)) > Self.patience {
      report.hangs.append("nothing was acknowledged for \(Int(Date().timeIntervalSince(lastProgress))) s")
      say(report.hangs.last ?? "")
      lastProgress = Date()
    }
  }

  /// Mends everything, and requires that the run goes on.
  private func recover() throws {
    let last = mending.map(\.at).max() ?? Date()
    try watch(until: max(last, Date()).addingTimeInterval(0.1)) { false }
    let size = ledgers.byteCount
    try watch(until: Date(timeIntervalSinceNow: Self.patience)) { self.ledgers.byteCount > size + 200 }
    if ledgers.byteCount <= size {
      report.hangs.append("the run did not go on within \(Int(Self.patience)) s of the last fault")
    }
  }

  /// Ends the parts in order: who asks before who answers.
  private func finish() throws {
    for role in [Role.actor, .learner, .rewardServer, .router] {
      let names = parts.filter { $0.value.role == role }.keys.sorted()
      for name in names {
        parts[name]?.isExpectedToEnd = true
        parts[name]?.process?.send(SIGTERM)
      }
      let deadline = Date(timeIntervalSinceNow: 30)
      while Date() < deadline, names.contains(where: { parts[$0]?.process != nil }) {
        if let end = events.take(before: Date(timeIntervalSinceNow: 0.5)) {
          if end.status != 0 || end.wasSignalled, parts[end.name]?.incarnation == end.start + 1 {
            report.unexpectedEnds.append("\(end.name) at its orderly end: \(end.text)")
          }
          ended(end)
          parts[end.name]?.startAt = nil
        }
      }
      for name in names where parts[name]?.process != nil {
        report.hangs.append("\(name) did not end within 30 s of SIGTERM")
        parts[name]?.process?.send(SIGKILL)
      }
    }
  }
}
