// All roles of a run on this machine: started in order, watched, started again when they die, stopped in order. The
// learner's end is the run's end.

package import Foundation
internal import Roles
internal import Threads

/// Starts and watches the programs of a run.
package final class Supervisor {
  package enum Event: Sendable {
    case ended(ChildEnd)
    case signal(String)
  }

  /// Why a run ended without an error.
  package enum Outcome: Equatable {
    /// The learner finished its epochs.
    case finished
    /// The time was up.
    case timeUp
    /// Ctrl-C, SIGTERM or SIGUSR1.
    case interrupted
  }

  private let descriptions: [ChildDescription]
  private let logs: URL
  private let events = Mailbox<Event>()
  private var children: [String: ChildProcess] = [:]
  private var starts: [String: Int] = [:]
  /// How children ended that were being stopped.
  private var ends: [String: ChildEnd] = [:]
  private var restarts = RestartPolicy()
  private let report: (String) -> Void

  /// - Parameters:
  ///   - descriptions: in the order to start them; one is the learner.
  ///   - logs: folder of the logs; it must exist.
  ///   - report: is told what happens, in a line.
  package init(_ descriptions: [ChildDescription], logs: URL, report: @escaping (String) -> Void) {
    self.descriptions = descriptions
    self.logs = logs
    self.report = report
  }

  /// Runs until the learner ends, a signal comes or the time is up; every child has ended when it returns or throws.
  ///
  /// - Parameters:
  ///   - deadline: when the learner is asked to stop; nil for never.
  ///   - tick: called about once a second.
  /// - Throws: `CommandError` with a child's own last words when one failed for good.
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

  /// A child that ended by itself is started again, or ends the run.
  private func replace(_ child: ChildProcess, _ end: ChildEnd) throws {
    let description = child.description
    let lived = Date().timeIntervalSince(child.began)
    // An actor whose learner has finished ends in peace; the learner's own end follows.
    if description.role == .actor && end.status == 0 && !end.wasSignalled {
      report("\(end.name) has finished")
      return
    }
    switch restarts.decision(role: description.role, name: end.name, lived: lived) {
    case .restart:
      report("\(end.name) ended (\(end.text)) after \(Int(lived)) s; it is started again. See \(child.log.path)")
      try start(description)
    case .fail:
      throw CommandError(
        "\(end.name) failed (\(end.text)); it said:\n\(ChildProcess.lastWords(in: child.log))\nSee \(child.log.path)")
    }
  }

  /// Time for the learner to end its epoch and write its checkpoint.
  private static let learnerPatience: TimeInterval = 120
  /// Time for the others to finish what they do.
  private static let patience: TimeInterval = 15

  /// Actors first: what they have made is delivered and stored while the learner still listens.
  private func stopLearner(_ reason: String) throws {
    report("\(reason); the actors finish, the learner writes a checkpoint")
    stop(.actor)
    stop(.learner)
    for description in descriptions where description.role == .learner {
      guard let end = ends[description.name], end.status != 0 || end.wasSignalled else { continue }
      let log = logs.appending(path: "\(end.name).log")
      throw CommandError(
        "\(end.name) failed while stopping (\(end.text)); it said:\n\(ChildProcess.lastWords(in: log))\nSee \(log.path)")
    }
  }

  /// Those who ask before those who answer.
  private func stopAll() {
    for role in [Role.actor, .learner, .rewardServer, .router] { stop(role) }
  }

  private func stop(_ role: Role) {
    let names = children.values.filter { $0.description.role == role }.map(\.description.name)
    for name in names { children[name]?.send(SIGTERM) }
    waitForEnd(of: Set(names), patience: role == .learner ? Self.learnerPatience : Self.patience)
  }

  /// Waits for children that were asked to end; those that do not are killed.
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
