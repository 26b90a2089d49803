// Progress on a terminal, which is a pseudoterminal here, and in a file.

import Fixtures
import Foundation
import Telemetry
import Testing

/// A terminal of a given width.
private struct Terminal {
  let output: FileHandle
  private let master: FileHandle

  init(columns: UInt16) throws {
    let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var lock: Int32 = 0, number: UInt32 = 0
    // TIOCSPTLCK and TIOCGPTN, which Glibc does not export to Swift.
    try #require(ioctl(descriptor, 0x4004_5431, &lock) == 0 && ioctl(descriptor, 0x8004_5430, &number) == 0)
    let line = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(line >= 0)
    var size = winsize()
    size.ws_col = columns
    try #require(ioctl(line, UInt(TIOCSWINSZ), &size) == 0)
    output = FileHandle(fileDescriptor: line, closeOnDealloc: true)
    master = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// Waits for the text up to `end`; the system passes it on in parts.
  func shown(upTo end: String) -> String {
    var bytes = Data()
    while bytes.suffix(end.utf8.count) != Data(end.utf8) { bytes += master.availableData }
    return String(decoding: bytes, as: UTF8.self)
  }
}

@Suite struct ProgressLineTests {
  @Test(.timeLimit(.minutes(1)), arguments: [80, 20] as [UInt16])
  func `a refreshed line is never as wide as the terminal`(columns: UInt16) throws {
    let terminal = try Terminal(columns: columns)
    var line = TerminalLine(terminal.output)
    for count in [100, 3, 79, 80, 81] { line.show(String(repeating: "±", count: count)) }
    line.say("done")
    let parts = terminal.shown(upTo: "done\r\n").split(separator: "\r")
    #expect(parts.count > 5 && parts.allSatisfy { $0.count < Int(columns) }, "\(parts)")
    // The short line covers the long one that was there before.
    #expect(parts[1].count == Int(columns) - 1 && parts[1].trimmingCharacters(in: .whitespaces) == "±±±")
  }

  @Test(.timeLimit(.minutes(1))) func `a terminal without a width gets plain lines`() throws {
    let terminal = try Terminal(columns: 0)
    var line = TerminalLine(terminal.output)
    line.show("one")
    line.show("two")
    #expect(terminal.shown(upTo: "two\r\n") == "one\r\ntwo\r\n")
  }

  @Test func `a progress line shows part, speed and time left`() {
    #expect(
      ProgressLine.text("VAE", done: 120, of: 1000, seconds: 30, note: "loss 0.21")
        == "VAE 120/1000 (12%), 4.0/s, 3:40 left, loss 0.21")
    #expect(ProgressLine.text("VAE", done: 0, of: 10, seconds: 0) == "VAE 0/10 (0%)")
    #expect(ProgressLine.text("VAE", done: 2, of: 2, seconds: 5) == "VAE 2/2 (100%), 2.5 s each, took 0:05")
    #expect(ProgressLine.clock(3723) == "1:02:03")
  }

  @Test func `progress in a file is plain lines with the first and the last step`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("log")
      try Data().write(to: file)
      let progress = ProgressLine("work", total: 100, output: try FileHandle(forWritingTo: file))
      for step in 1...100 { progress.update(step) }
      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      #expect(lines.first?.hasPrefix("work 1/100") == true && lines.last?.hasPrefix("work 100/100") == true)
      #expect(lines.count < 50)
    }
  }
}
