// Which roles the learner accepts: only the key of an actor may insert trajectories and read policies.

import Foundation
import Learner
import Messages
import Replay
import Roles
import Settings
import Testing
import Transport

@Suite struct RoleTests {
  @Test func `only the key of an actor can insert groups and read policies`() throws {
    var bench = try Bench()
    defer { bench.remove() }
    let keys = bench.folder.appending(path: "keys").path
    try FileManager.default.createDirectory(atPath: keys, withIntermediateDirectories: true)
    var list = AllowList()
    for role in [Role.learner, .actor, .rewardServer] {
      let pair = try KeyPair()
      try pair.write(to: "\(keys)/\(role.rawValue).key")
      try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: role.rawValue))
    }
    try list.write(to: "\(keys)/\(Keyring.allowListName)")
    func context(_ role: Role) throws -> Context {
      try Context(security: Security(folder: keys, insecure: false, role: role), logger: quiet)
    }
    bench.context = try context(.learner)
    bench.settings.network.learner = "tcp://127.0.0.1:*"
    bench.settings.network.notices = "tcp://127.0.0.1:*"
    let learner = try bench.learner()
    bench.settings.network.learner = learner.addresses.learner

    bench.context = try context(.rewardServer)
    let intruder = try FakeActor(bench, "eve")
    let assignment = Assignment(number: 0, epoch: 0, prompt: "cat", groupSize: 2, policyVersion: 0)
    // The messages claim to come from an actor, but the key decides.
    let attempts: [Message] = [
      intruder.hello(), .group(bench.group(assignment, actor: "ada")), .workRequest(WorkRequest(capacity: 4)),
      .policyRequest(PolicyRequest(version: 0, offset: 0, byteCount: 100)),
    ]
    for message in attempts {
      try intruder.send(message)
      let refusal = try intruder.receiveRefusal()
      #expect(refusal.reason.contains("has the role reward-server, expected actor"))
    }

    bench.context = try context(.actor)
    let ada = try FakeActor(bench)
    try ada.join()
    let work = try ada.work(capacity: 1)
    try ada.deliver([bench.group(work[0])])
    try learner.end()
    let store = try ReplayStore(reading: bench.settings.replayFolder)
    #expect(store.entries.map(\.number) == [work[0].number])
  }
}
