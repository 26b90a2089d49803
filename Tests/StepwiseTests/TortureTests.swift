// A short torture of a small cluster of real processes, with the account at its end.

import Foundation
import Testing

@Suite struct TortureTests {
  @Test func `a cluster that is broken in every way for seconds loses nothing that was acknowledged`() throws {
    try withTemporaryFolder { folder in
      let result = try Program.built.run(
        ["torture", "--minutes", "0.2", "--seed", "3", "--pause", "1", "--json", "account.json"], in: folder)
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
      // The configuration asks for a thousand million epochs: none of them may cost memory before its time.
      let memory = try #require((account["mostMemory"] as? [String: Any])?["learner"] as? Int)
      #expect(memory < 512, "the learner took \(memory) MiB")
    }
  }

  @Test func `the parts of a run end with the process that started them, killed or not`() throws {
    try withTemporaryFolder { folder in
      let (process, output, errors) = try Program.built.start(
        ["torture", "--minutes", "5", "--calm", "--folder", "work"], in: folder)
      defer { withExtendedLifetime((output, errors)) {} }
      func parts() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").count { name in
          guard Int(name) != nil, let data = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else { return false }
          let command = String(decoding: data, as: UTF8.self)
          return command.contains("torture-part") && command.contains(folder.lastPathComponent)
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
      // Its disk outlives it.
      let unmount = Process()
      unmount.executableURL = URL(filePath: "/usr/bin/env")
      unmount.arguments = ["umount", "-l", folder.appending(path: "work/disk").path]
      unmount.standardError = FileHandle.nullDevice
      try unmount.run()
      unmount.waitUntilExit()
    }
  }

  @Test func `what cannot be is refused before anything starts`() throws {
    try withTemporaryFolder { folder in
      for (arguments, hint) in [
        (["--minutes", "0"], "--minutes: expected more than 0"), (["--actors", "0"], "--actors: expected at least 1"),
        (["--folder", "."], "expected a new folder"),
      ] {
        let result = try Program.built.run(["torture"] + arguments, in: folder)
        #expect(result.status != 0 && result.errors.contains(hint), "\(arguments): \(result.errors)")
      }
    }
  }
}

@Suite struct KeysCommandTests {
  @Test func `keys are made, added, listed and revoked, each file for its owner alone`() throws {
    try withTemporaryFolder { folder in
      let made = try Program.built.run(["keys", "make", "keys"], in: folder)
      #expect(made.status == 0, "\(made.errors)")
      let names = ["actor", "learner", "reward-server", "router", "tool"]
      let keys = folder.appending(path: "keys")
      #expect(FileManager.default.names(in: keys) == ["actor.key", "allowed-keys"] + names.dropFirst().map { "\($0).key" })
      for name in names {
        let mode = try FileManager.default.attributesOfItem(atPath: keys.appending(path: "\(name).key").path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
      }
      #expect(try Program.built.run(["keys", "make", "keys"], in: folder).errors.contains("expected a folder without keys"))
      #expect(try Program.built.run(["keys", "add", "keys", "actor", "gpu-7"], in: folder).status == 0)
      #expect(try Program.built.run(["keys", "add", "keys", "king", "a"], in: folder).errors.contains("king: expected one of"))
      #expect(try Program.built.run(["keys", "add", "keys", "actor", "../x"], in: folder).errors.contains("letters, digits"))
      #expect(try Program.built.run(["keys", "list", "keys"], in: folder).output.contains("gpu-7"))
      #expect(try Program.built.run(["keys", "revoke", "keys", "gpu-7"], in: folder).status == 0)
      #expect(try !Program.built.run(["keys", "list", "keys"], in: folder).output.contains("gpu-7"))
      #expect(try Program.built.run(["keys", "revoke", "keys", "gpu-7"], in: folder).errors.contains("expected the name of a key"))
    }
  }
}
