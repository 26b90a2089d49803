// `stepwise keys` creates, lists and revokes keys.

import Fixtures
import Foundation
import Testing

@Suite struct KeysCommandTests {
  @Test func `keys are created, added, listed and revoked, and only their owner can read the files`() throws {
    try withTemporaryFolder { folder in
      func keys(_ arguments: String...) throws -> Program.Result {
        try Program.stepwise.run(["keys"] + arguments, in: folder)
      }
      let made = try keys("make", "keys"), place = folder.appending(path: "keys")
      #expect(made.status == 0, "\(made.errors)")
      let names = ["actor", "learner", "reward-server", "router", "tool"]
      #expect(FileManager.default.names(in: place) == (names.map { "\($0).key" } + ["allowed-keys"]).sorted())
      for name in names {
        let file = place.appending(path: "\(name).key").path
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
      }
      let again = try keys("make", "keys"), king = try keys("add", "keys", "king", "a")
      let path = try keys("add", "keys", "actor", "../x")
      #expect(again.errors.contains("holds a list of keys already"))
      #expect(king.errors.contains("found king") && path.errors.contains("letters, digits"))
      let added = try keys("add", "keys", "actor", "gpu-7"), list = try keys("list", "keys")
      #expect(added.status == 0 && list.output.contains("gpu-7"))
      let revoked = try keys("revoke", "keys", "gpu-7"), shorter = try keys("list", "keys")
      #expect(revoked.status == 0 && !shorter.output.contains("gpu-7"))
      let twice = try keys("revoke", "keys", "gpu-7")
      #expect(twice.status != 0)
    }
  }
}
