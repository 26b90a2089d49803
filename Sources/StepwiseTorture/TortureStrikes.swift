// What befalls the parts of a torture, one fault after another from the seed, and how each is mended.

import Engine
import Foundation
import Roles
import Supervision
import Glibc

extension TortureRig {
  /// What befalls whom, from the seed; drawn again until it is a fault that is asked for.
  private func draw(_ living: [String]) -> (name: String, fault: TortureFault)? {
    for _ in 0..<10_000 {
      // The learner has the promises to keep: it is struck as often as all actors.
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
    let living = parts.filter { $0.value.process != nil && !$0.value.isPaused && !$0.value.isExpectedToEnd }.keys.sorted()
    guard !living.isEmpty else { return }
    guard let (name, fault) = draw(living), let part = parts[name], let process = part.process else { return }
    report.faults["\(fault.name) \(part.role.rawValue)", default: 0] += 1
    say("\(fault) \(name)")
    let cables = proxies.filter { cable, _ in
      cable.hasPrefix(name + " ") || name == "learner" && cable.hasSuffix(" learner")
    }.map(\.value)
    switch fault {
    case .kill: kill(name)
    case .terminate:
      parts[name]?.isExpectedToEnd = true
      process.send(SIGTERM)
      trouble(for: 20)
      // One that does not end within its own patience hangs.
      mend(after: 20) { [self] in
        guard parts[name]?.process === process else { return }
        report.hangs.append("\(name) did not end within 20 s of SIGTERM")
        process.send(SIGKILL)
      }
    case .pause(let seconds):
      parts[name]?.isPaused = true
      process.send(SIGSTOP)
      mend(after: seconds) { [self] in
        process.send(SIGCONT)
        if parts[name]?.process === process { parts[name]?.isPaused = false }
      }
    case .cut: for cable in cables { cable.cut() }
    case .hold(let seconds):
      for cable in cables { cable.hold(true) }
      mend(after: seconds) { for cable in cables { cable.hold(false) } }
    case .twin: twin(name, process)
    case .fullDisk(let seconds):
      disk.fill()
      isDiskFull = true
      mend(after: seconds) { [self] in
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
    trouble(for: 0)
  }

  /// The old incarnation sleeps while a new one takes its place, and then finds out.
  private func twin(_ name: String, _ process: ChildProcess) {
    process.send(SIGSTOP)
    parts[name]?.process = nil
    parts[name]?.startAt = Date()
    let asleep = 0.5 + TorturePlan.silence * Double(random.uniform())
    ghostProcesses[process.identifier] = process
    ghosts[process.identifier] = Date(timeIntervalSinceNow: asleep + Self.patience)
    mend(after: asleep) { process.send(SIGCONT) }
  }

  func lookForGhosts() {
    for (number, until) in ghosts where until < Date() {
      let name = ghostProcesses[number]?.description.name ?? "?"
      report.hangs.append("an older incarnation of \(name) lived on for \(Int(Self.patience)) s beside the new one")
      ghostProcesses[number]?.send(SIGKILL)
      ghosts[number] = nil
    }
  }

  /// As a write that power or a kill cut short: it was never acknowledged.
  private func tearTail() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: plan.replay.path)) ?? []
    guard let last = names.filter({ $0.hasPrefix("journal-") }).max(),
      let bytes = try? Data(contentsOf: plan.replay.appending(path: last)), bytes.count > 64,
      let handle = try? FileHandle(forWritingTo: plan.replay.appending(path: last)), (try? handle.seekToEnd()) != nil
    else { return }
    // The beginning of a record as it might have been: the journal's own first bytes.
    try? handle.write(contentsOf: bytes.prefix(16 + random.integer(below: bytes.count - 32) % 600))
  }

  private func mend(after seconds: Double, _ body: @escaping () -> Void) {
    mending.append((Date(timeIntervalSinceNow: seconds), body))
    trouble(for: seconds)
  }

  func trouble(for seconds: Double) { troubledUntil = max(troubledUntil, Date(timeIntervalSinceNow: seconds)) }
}
