// A line that replaces itself on a terminal. It is never wider than the terminal: a wrapped line could not be replaced.

package import Foundation

/// One line of output that is written again and again; plain lines where the output is no terminal of known width.
package struct TerminalLine {
  private let output: FileHandle
  private var width = 0

  package init(_ output: FileHandle) { self.output = output }

  /// Columns of the terminal now; nil for a file, a pipe, or a terminal that does not tell its width.
  package var columns: Int? {
    var size = winsize()
    guard ioctl(output.fileDescriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Replaces the line, cut to the width of the terminal; without a terminal writes a plain line.
  package mutating func show(_ text: String) {
    guard let columns else { return write(text + "\n") }
    // Some terminals wrap as soon as the last column is written.
    let most = max(0, columns - 1), line = text.prefix(most)
    write("\r" + line + String(repeating: " ", count: max(0, min(width, most) - line.count)))
    width = line.count
  }

  /// Writes a line that stays, in the place of the one that is replaced.
  package mutating func say(_ text: String) {
    if width > 0 {
      show("")
      write("\r")
    }
    write(text + "\n")
  }

  package mutating func finish() {
    if width > 0 { write("\n") }
    width = 0
  }

  private func write(_ text: String) { output.write(Data(text.utf8)) }
}
