// Draws faults from the seed, injects them, and ends them.

import Engine
import Foundation
import Glibc
import Roles
import Supervision

extension TortureRig {
  /// Draws a part and a fault, again until `only` permits the fault.
  private func draw(_ living: [String]) -> (name: String, fault: TortureFault)? {
    for _ in 0..<10_000 {
      // The learner keeps the promises, so it gets as many faults as all actors together.
      let name = random.integer(below: 4) == 0 && living.contains("learner")
        ? "learner" : living[random.integer(below: living.count)]
      guard let role = parts[name]?.role else { continue }
      let fault = TortureFault.draw(for: role, canFillDisk: disk.isOwn, longestPause: longestPause, &random)
      let words = "\(fault.name) \(role.rawValue)"
      if only.isEmpty || only.contains(fault.name) || only.contains(words) { return (name, fault) }
    }
    return nil
  }

  func strike() {
    let living = parts.filter { $1.process != nil && !$1.isPaused && !$1.isExpectedToEnd }.keys.sorted()
    guard !living.isEmpty, let (name, fault) = draw(living), let part = parts[name], let process = part.process
    else { return }
    report.faults["\(fault.name) \(part.role.rawValue)", default: 0] += 1
    say("\(fault) \(name)")
    let links = proxies.filter { link, _ in
      link.hasPrefix(name + " ") || name == "learner" && link.hasSuffix(" learner")
    }.map(\.value)
    switch fault {
    case .kill: kill(name)
    case .terminate:
      parts[name]?.isExpectedToEnd = true
      process.send(SIGTERM)
      disturbed(for: 20)
      recover(after: 20) { [self] in
        guard parts[name]?.process === process else { return }
        report.hangs.append("\(name) did not end within 20 s of SIGTERM")
        process.send(SIGKILL)
      }
    case .pause(let seconds):
      parts[name]?.isPaused = true
      process.send(SIGSTOP)
      recover(after: seconds) { [self] in
        process.send(SIGCONT)
        if parts[name]?.process === process { parts[name]?.isPaused = false }
      }
    case .cut: for link in links { link.cut() }
    case .hold(let seconds):
      for link in links { link.hold(true) }
      recover(after: seconds) { for link in links { link.hold(false) } }
    case .twin: twin(name, process)
    case .fullDisk(let seconds):
      disk.fill()
      isDiskFull = true
      recover(after: seconds) { [self] in
        disk.empty()
        isDiskFull = false
      }
    case .tornTail:
      kill(name)
      process.waitUntilExit()
      tearTail()
    }
  }

  private func kill(_ name: String) {
    parts[name]?.isExpectedToEnd = true
    parts[name]?.process?.send(SIGKILL)
    report.kills += 1
    disturbed(for: 0)
  }

  /// Stops a process while a new incarnation takes its place, and continues it then; it must end.
  private func twin(_ name: String, _ process: ChildProcess) {
    process.send(SIGSTOP)
    parts[name]?.process = nil
    parts[name]?.startAt = Date()
    let asleep = 0.5 + TorturePlan.silence * Double(random.uniform())
    replaced[process.identifier] = (process, Date(timeIntervalSinceNow: asleep + Self.patience))
    recover(after: asleep) { process.send(SIGCONT) }
  }

  /// Kills older incarnations that have not ended in time, and counts them as hung.
  func checkReplaced() {
    for (number, older) in replaced where older.deadline < Date() {
      report.hangs.append(
        "an older incarnation of \(older.process.description.name) ran for \(Int(Self.patience)) s next to the new one")
      older.process.send(SIGKILL)
      replaced[number] = nil
    }
  }

  /// Appends a part of a record, as a write that was interrupted would leave it; the record was never acknowledged.
  private func tearTail() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: plan.replay.path)) ?? []
    guard let last = names.filter({ $0.hasPrefix("journal-") }).max(),
      let bytes = try? Data(contentsOf: plan.replay.appending(path: last)), bytes.count > 64,
      let handle = try? FileHandle(forWritingTo: plan.replay.appending(path: last)), (try? handle.seekToEnd()) != nil
    else { return }
    // The first bytes of the journal are the start of a valid record.
    try? handle.write(contentsOf: bytes.prefix(16 + random.integer(below: bytes.count - 32) % 600))
  }

  private func recover(after seconds: Double, _ body: @escaping () -> Void) {
    recoveries.append((Date(timeIntervalSinceNow: seconds), body))
    disturbed(for: seconds)
  }

  private func disturbed(for seconds: Double) {
    disturbedUntil = max(disturbedUntil, Date(timeIntervalSinceNow: seconds))
  }
}
