// Progress of long work: one line that replaces itself on a terminal, otherwise a plain line every ten seconds.

package import Foundation
internal import Synchronization

package final class ProgressLine: Sendable {
  private struct State {
    var shown = ContinuousClock.Instant.now
    var hasShown = false
    var line: TerminalLine
  }

  private let title: String
  private let total: Int
  private let start = ContinuousClock.now
  private let interval: Duration
  private let state: Mutex<State>

  /// - Parameter total: number of steps, at least 1.
  package init(_ title: String, total: Int, output: FileHandle = .standardError) {
    (self.title, self.total) = (title, max(1, total))
    let line = TerminalLine(output)
    interval = .seconds(line.columns == nil ? 10 : 0.1)
    state = Mutex(State(line: line))
  }

  /// Shows that `done` steps are done, at most once per interval; the first and the last step are always shown.
  ///
  /// - Parameter note: a text for the end of the line, such as a loss.
  package func update(_ done: Int, note: String = "") {
    let now = ContinuousClock.now
    state.withLock { state in
      guard done >= total || !state.hasShown || now - state.shown >= interval else { return }
      let seconds = (now - start) / .seconds(1)
      state.line.show(ProgressLine.text(title, done: done, of: total, seconds: seconds, note: note))
      if done >= total { state.line.finish() }
      (state.shown, state.hasShown) = (now, true)
    }
  }

  /// The line: part, speed and time left, as "VAE 120/1000 (12%), 4.0/s, 3:40 left, loss 0.21".
  package static func text(_ title: String, done: Int, of total: Int, seconds: Double, note: String = "") -> String {
    var parts = ["\(title) \(done)/\(total) (\(100 * done / max(1, total))%)"]
    if done > 0 && seconds > 0 {
      let speed = Double(done) / seconds
      parts.append(speed >= 1 ? "\(tenths(speed))/s" : "\(tenths(1 / speed)) s each")
      parts.append(done >= total ? "took \(clock(seconds))" : "\(clock(Double(total - done) / speed)) left")
    }
    if !note.isEmpty { parts.append(note) }
    return parts.joined(separator: ", ")
  }

  /// Seconds as "3:07" or "1:02:03".
  package static func clock(_ seconds: Double) -> String {
    let whole = Int(max(0, min(seconds, 1e9)).rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let minutes = whole / 60
    return minutes >= 60
      ? "\(minutes / 60):\(two(minutes % 60)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
  }

  private static func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
