// Short torture runs of a small cluster of real processes.

import Fixtures
import Foundation
import Testing

@Suite struct TortureTests {
  @Test func `a cluster loses no acknowledged group under faults`() throws {
    try withTemporaryFolder { folder in
      let result = try Program.torture.run(
        ["--minutes", "0.2", "--seed", "3", "--pause", "1", "--json", "account.json"], in: folder)
      #expect(result.status == 0, "\(result.output) \(result.errors)")
      let data = try Data(contentsOf: folder.appending(path: "account.json"))
      let account = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
      for name in ["lost", "storedTwice", "wrong", "epochsWrong", "hangs", "unexpectedEnds"] {
        #expect((account[name] as? [Any])?.isEmpty == true, "\(name): \(account[name] ?? "absent")")
      }
      for name in ["acknowledged", "epochs", "scores"] {
        #expect((account[name] as? Int ?? 0) > 0, "\(name)")
      }
      #expect((account["faults"] as? [String: Any])?.isEmpty == false)
      // The configuration has 10^9 epochs; future epochs must not take memory.
      let memory = try #require((account["mostMemory"] as? [String: Any])?["learner"] as? Int)
      #expect(memory < 512, "the learner took \(memory) MiB")
    }
  }

  @Test func `the parts of a run end when the process that started them is killed`() throws {
    try withTemporaryFolder { folder in
      let (process, output, errors) = try Program.torture.start(
        ["--minutes", "5", "--calm", "--folder", "work"], in: folder)
      defer { withExtendedLifetime((output, errors)) {} }
      func parts() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").count { name in
          guard Int(name) != nil, let data = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
            return false
          }
          let command = String(decoding: data, as: UTF8.self)
          return command.contains("stepwise-torture\0part") && command.contains(folder.lastPathComponent)
        }
      }
      func wait(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<1200 {
          if try condition() { return true }
          Thread.sleep(forTimeInterval: 0.05)
        }
        return false
      }
      #expect(try wait { try parts() == 10 })
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(try wait { try parts() == 0 })
      // The mounted disk outlives the process.
      let unmount = Process()
      unmount.executableURL = URL(filePath: "/usr/bin/env")
      unmount.arguments = ["umount", "-l", folder.appending(path: "work/disk").path]
      unmount.standardError = FileHandle.nullDevice
      try unmount.run()
      unmount.waitUntilExit()
    }
  }

  @Test func `wrong options are refused before anything starts`() throws {
    try withTemporaryFolder { folder in
      for (arguments, hint) in [
        (["--minutes", "0"], "--minutes: expected a number above 0"),
        (["--actors", "0"], "--actors: expected a whole number above 0"),
        (["--folder", "."], "exists already"),
      ] {
        let result = try Program.torture.run(arguments, in: folder)
        #expect(result.status != 0 && result.errors.contains(hint), "\(arguments): \(result.errors)")
      }
    }
  }
}
