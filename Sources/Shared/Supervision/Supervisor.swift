// The programs of a run on one machine: started in order, watched, started again when they die, and stopped in order.
// The run ends with the learner.

package import Foundation
internal import Roles
internal import Threads

package final class Supervisor {
  package enum Event: Sendable {
    case ended(ChildEnd)
    case signal(String)
  }

  /// The reason for the end of a run without an error.
  package enum Outcome: Equatable {
    case finished
    case timeUp
    /// Ctrl-C, SIGTERM or SIGUSR1.
    case interrupted
  }

  private let descriptions: [ChildDescription]
  private let logs: URL
  private let events = Mailbox<Event>()
  private var children: [String: ChildProcess] = [:]
  private var starts: [String: Int] = [:]
  /// Ends of children that were being stopped.
  private var ends: [String: ChildEnd] = [:]
  private var restarts = RestartPolicy()
  private let report: (String) -> Void

  /// - Parameters:
  ///   - descriptions: in the order in which they start; one is the learner.
  ///   - logs: folder of the logs; it must exist.
  ///   - report: receives one line per event.
  package init(_ descriptions: [ChildDescription], logs: URL, report: @escaping (String) -> Void) {
    self.descriptions = descriptions
    self.logs = logs
    self.report = report
  }

  /// Runs until the learner ends, a signal arrives or the deadline passes. Every child has ended when it returns or
  /// throws.
  ///
  /// - Parameters:
  ///   - deadline: when the learner is told to stop; nil for never.
  ///   - tick: called about once a second.
  /// - Throws: `CommandError` with the last log lines of a child that failed.
  package func run(until deadline: Date? = nil, tick: () -> Void = {}) throws -> Outcome {
    let events = events
    let signals = try TerminationSignals { events.put(.signal($0)) }
    defer { withExtendedLifetime(signals) {} }
    do {
      for description in descriptions { try start(description) }
      let outcome = try watch(deadline, tick)
      stopAll()
      return outcome
    } catch {
      stopAll()
      throw error
    }
  }

  private func start(_ description: ChildDescription) throws {
    let events = events, number = starts[description.name, default: 0]
    starts[description.name] = number + 1
    children[description.name] = try ChildProcess(description, start: number, logs: logs) { events.put(.ended($0)) }
  }

  private func watch(_ deadline: Date?, _ tick: () -> Void) throws -> Outcome {
    while true {
      tick()
      if let deadline, deadline <= Date() {
        try stopLearner("the time is up")
        return .timeUp
      }
      switch events.take(before: min(deadline ?? .distantFuture, Date(timeIntervalSinceNow: 1))) {
      case .none: continue
      case .signal(let name):
        try stopLearner(name)
        return .interrupted
      case .ended(let end):
        guard let child = children.removeValue(forKey: end.name) else { continue }
        if child.description.role == .learner && end.status == 0 && !end.wasSignalled { return .finished }
        try replace(child, end)
      }
    }
  }

  /// Starts a child that ended by itself again, or ends the run.
  private func replace(_ child: ChildProcess, _ end: ChildEnd) throws {
    let description = child.description
    let lived = Date().timeIntervalSince(child.began)
    // An actor ends with status 0 when the learner has finished; the end of the learner follows.
    if description.role == .actor && end.status == 0 && !end.wasSignalled {
      report("\(end.name) has finished")
      return
    }
    switch restarts.decision(role: description.role, name: end.name, lived: lived) {
    case .restart:
      report("\(end.name) ended (\(end.text)) after \(Int(lived)) s and is started again; see \(child.log.path)")
      try start(description)
    case .fail:
      throw CommandError(
        "\(end.name) failed (\(end.text)); the end of its log \(child.log.path):\n"
          + ChildProcess.lastLines(of: child.log))
    }
  }

  /// Seconds for the learner to leave its epoch and write its checkpoint.
  private static let learnerPatience: TimeInterval = 120
  /// Seconds for the other programs to end.
  private static let patience: TimeInterval = 15

  /// Stops actors first, so that the learner still stores the groups that they deliver.
  private func stopLearner(_ reason: String) throws {
    report("\(reason): stopping the actors, then the learner with a checkpoint")
    stop(.actor)
    stop(.learner)
    for description in descriptions where description.role == .learner {
      guard let end = ends[description.name], end.status != 0 || end.wasSignalled else { continue }
      let log = logs.appending(path: "\(end.name).log")
      throw CommandError(
        "\(end.name) failed while stopping (\(end.text)); the end of its log \(log.path):\n"
          + ChildProcess.lastLines(of: log))
    }
  }

  /// Stops clients before the servers that answer them.
  private func stopAll() {
    for role in [Role.actor, .learner, .rewardServer, .router] { stop(role) }
  }

  private func stop(_ role: Role) {
    let names = children.values.filter { $0.description.role == role }.map(\.description.name)
    for name in names { children[name]?.send(SIGTERM) }
    waitForEnd(of: Set(names), patience: role == .learner ? Self.learnerPatience : Self.patience)
  }

  /// Waits for children that were told to end, and kills those that do not.
  private func waitForEnd(of names: Set<String>, patience: TimeInterval) {
    var deadline = Date(timeIntervalSinceNow: patience)
    var killed = false
    while names.contains(where: { children[$0] != nil }) {
      switch events.take(before: deadline) {
      case .ended(let end):
        children.removeValue(forKey: end.name)
        ends[end.name] = end
      case .signal: break
      case .none:
        guard !killed else { return }
        for name in names where children[name] != nil {
          report("\(name) did not end in \(Int(patience)) s; it is killed")
          children[name]?.send(SIGKILL)
        }
        killed = true
        deadline = Date(timeIntervalSinceNow: 5)
      }
    }
  }
}
