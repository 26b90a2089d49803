// How far a long work is: one line that renews itself on a terminal, now and then a plain line elsewhere.

package import Foundation
internal import Synchronization

/// The progress of a work of known length, shown on standard error.
package final class ProgressLine: Sendable {
  private struct State {
    var shown = ContinuousClock.Instant.now
    var hasShown = false
    var width = 0
  }

  private let title: String
  private let total: Int
  private let start = ContinuousClock.now
  private let output: FileHandle
  private let isTerminal: Bool
  private let state = Mutex(State())

  /// - Parameters:
  ///   - total: number of steps, at least 1.
  ///   - output: a terminal gets one line that renews itself, anything else a line every ten seconds.
  package init(_ title: String, total: Int, output: FileHandle = .standardError) {
    (self.title, self.total, self.output) = (title, max(1, total), output)
    isTerminal = isatty(output.fileDescriptor) == 1
  }

  /// Shows that `done` steps are done, if it is time to; the last step is always shown.
  ///
  /// - Parameter note: what else to say, as a loss.
  package func update(_ done: Int, note: String = "") {
    let now = ContinuousClock.now
    let interval = Duration.seconds(isTerminal ? 0.1 : 10)
    state.withLock { state in
      guard done >= total || !state.hasShown || now - state.shown >= interval else { return }
      let seconds = (now - start) / .seconds(1)
      let line = ProgressLine.text(title, done: done, of: total, seconds: seconds, note: note)
      var shown = line
      if isTerminal {
        shown = "\r" + line + String(repeating: " ", count: max(0, state.width - line.count))
        if done >= total { shown += "\n" }
      } else {
        shown += "\n"
      }
      output.write(Data(shown.utf8))
      (state.shown, state.hasShown, state.width) = (now, true, line.count)
    }
  }

  /// What a line says: part, speed and time left, as "VAE 120/1000 (12%), 4.0/s, 3:40 left, loss 0.21".
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
