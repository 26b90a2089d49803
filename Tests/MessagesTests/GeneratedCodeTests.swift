import Foundation
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// Runs a command in the repository. Returns the exit status and the output; nil if the command could not be started.
private func run(_ command: String...) -> (status: Int32, output: String)? {
  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = command
  process.currentDirectoryURL = root
  let output = Pipe()
  process.standardOutput = output
  process.standardError = output
  do { try process.run() } catch { return nil }
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}

@Suite
struct GeneratedCodeTests {
  @Test(
    .enabled(
      if: run("protoc-c", "--version")?.status == 0 && run("protoc", "--version")?.status == 0,
      "protoc-c or protoc is missing (Debian: protobuf-c-compiler, protobuf-compiler)"))
  func `the generated code matches the definitions of the messages`() throws {
    let result = try #require(run("scripts/generate-messages.sh", "--check"))
    #expect(result.status == 0, "\(result.output)")
  }
}
