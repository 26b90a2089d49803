// A local cluster under faults. Faults follow from the seed, one after another; every part that ends is started again;
// a run in which no group is acknowledged for some time counts as hung.

import Configuration
import Engine
import Foundation
import Glibc
import Roles
import Supervision
import Threads

final class TortureRig {
  struct Part {
    let role: Role
    let arguments: [String]
    var incarnation = 0
    var process: ChildProcess?
    /// Whether the rig has ended it.
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
  /// Older incarnations by process identifier, and the time by which they must have ended.
  var replaced: [Int32: (process: ChildProcess, deadline: Date)] = [:]
  /// Ends of faults that last, and their times.
  var recoveries: [(at: Date, body: () -> Void)] = []
  var isDiskFull = false
  var random: RandomStream
  var report = TortureReport()
  let say: (String) -> Void
  private var usage = ProcessUsage()
  private var lastSize = 0
  private var lastProgress = Date()
  /// The last time at which a fault has an effect.
  var disturbedUntil = Date()

  /// Seconds without a fault in which a group must be acknowledged.
  static let patience: TimeInterval = 30

  /// Names of faults, or of faults with a part, as in the account; empty for all.
  var only: [String] = []
  /// Seconds of SIGSTOP; nil draws them around the silence limit.
  var longestPause: Double?

  private let ledgers: TortureLedgers
  private let actorCount: Int

  /// - Parameters:
  ///   - count: number of actors; more than `TorturePlan.maximumProcesses` share processes.
  ///   - batch: groups per batch of an actor.
  ///   - pace: milliseconds per batch.
  ///   - minutes: duration of the run, which determines the size of the disk.
  ///   - say: receives one line per event.
  /// - Throws: when the folder, the disk or the ports cannot be created.
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
    if !disk.isOwn {
      report.leftOut.append("full disk: mounting a tmpfs is not permitted; run stepwise-torture as root")
    }
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
      // Each part has its own proxies, so that its connections can break alone.
      let links = try network.routerBackends.map { try LoopbackProxy(to: $0) }
      for (router, link) in links.enumerated() { proxies["\(name) \(router)"] = link }
      add(
        name, .rewardServer,
        ["reward-server", "--name", name, "--set", "network.routerBackends=\(list(links.map(\.endpoint)))"] + common)
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
      for (router, link) in routers.enumerated() { proxies["\(name) \(router)"] = link }
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

  /// Injects faults until `end`, stops the cluster, and accounts for every group.
  ///
  /// - Parameter pause: maximum seconds between two faults; nil for no faults.
  /// - Throws: when the cluster does not start to work, or its files cannot be read.
  func run(until end: Date, pause: Double?) throws -> TortureReport {
    defer {
      for part in parts.values { part.process?.send(SIGKILL) }
      for (process, _) in replaced.values { process.send(SIGKILL) }
      for proxy in proxies.values { proxy.end() }
      disk.end()
    }
    let began = Date()
    for name in parts.keys.sorted(by: >) { try start(name) }
    try watch(until: began.addingTimeInterval(120)) { self.ledgers.byteCount > 0 }
    guard ledgers.byteCount > 0 else {
      throw CommandError("no group was acknowledged within 120 s; see the logs in \(plan.logs.path)")
    }
    // The rate under load is measured from the moment when all actors work.
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

  /// Handles events until `end`, or until `done` returns true.
  private func watch(until end: Date, _ done: () -> Bool) throws {
    while Date() < end, !done() {
      let starts = parts.values.compactMap(\.startAt) + recoveries.map(\.at)
      let next = min(end, starts.min() ?? end, Date(timeIntervalSinceNow: 0.5))
      if let end = events.take(before: next) { ended(end) }
      for item in recoveries where item.at <= Date() { item.body() }
      recoveries.removeAll { $0.at <= Date() }
      for (name, part) in parts where part.startAt.map({ $0 <= Date() }) == true { try start(name) }
      checkReplaced()
      checkProgress()
      usage.measure(parts.values.compactMap { part in part.process.map { (part.role.rawValue, $0.identifier) } })
    }
  }

  private func ended(_ end: ChildEnd) {
    guard var part = parts[end.name], let process = part.process, end.start == part.incarnation - 1 else {
      // An older incarnation ended, as it must.
      for (number, older) in replaced where older.process.description.name == end.name && !older.process.isRunning {
        replaced[number] = nil
      }
      return
    }
    if part.role == .learner, isDiskFull, !part.isExpectedToEnd {
      // It ends with an error, and is started again until the disk has room.
      report.faults["no start without room learner", default: 0] += 1
    } else if !part.isExpectedToEnd {
      report.unexpectedEnds.append("\(end.name) (\(end.text)): \(ChildProcess.lastLines(of: process.log))")
      say("\(end.name) ended without a fault (\(end.text))")
    }
    part.process = nil
    part.startAt = Date(timeIntervalSinceNow: random.integer(below: 3) == 0 ? 2 * Double(random.uniform()) : 0)
    parts[end.name] = part
  }

  private func checkProgress() {
    let size = ledgers.byteCount
    if size != lastSize {
      lastSize = size
      lastProgress = Date()
    } else if Date().timeIntervalSince(max(lastProgress, disturbedUntil)) > Self.patience {
      report.hangs.append("no group was acknowledged for \(Int(Date().timeIntervalSince(lastProgress))) s")
      say(report.hangs.last ?? "")
      lastProgress = Date()
    }
  }

  /// Waits for the end of all faults, and requires that the run continues.
  private func recover() throws {
    let last = recoveries.map(\.at).max() ?? Date()
    try watch(until: max(last, Date()).addingTimeInterval(0.1)) { false }
    let size = ledgers.byteCount
    try watch(until: Date(timeIntervalSinceNow: Self.patience)) { self.ledgers.byteCount > size + 200 }
    if ledgers.byteCount <= size {
      report.hangs.append("the run did not continue within \(Int(Self.patience)) s of the last fault")
    }
  }

  /// Ends the parts in order: clients before the servers that answer them.
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
            report.unexpectedEnds.append("\(end.name) after SIGTERM: \(end.text)")
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
