// `stepwise keys`: key pairs of the processes of a run, and the list of allowed keys.

import ArgumentParser
import Foundation
import Roles
import Supervision
import Transport

struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Create and revoke the keys with which the processes of a run authenticate each other.",
    discussion: """
      When network.keys names a folder of keys, a run encrypts every connection between its processes and accepts only \
      keys on the list in the folder, each for its role. docs/security.md explains what this protects, and which file \
      belongs on which machine.
      """,
    subcommands: [Make.self, Add.self, Revoke.self, List.self])

  static func list(_ folder: String) -> String { "\(folder)/\(Keyring.allowListName)" }

  static func make(_ role: Role, _ name: String, in folder: String, _ list: inout AllowList) throws {
    let pair = try KeyPair()
    try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: name))
    try pair.write(to: "\(folder)/\(name).key")
    print("\(folder)/\(name).key  \(pair.publicKey)")
  }
}

extension KeysCommand {
  struct Make: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a folder with one key pair per role and the list of allowed keys.")

    @Argument(help: "Folder to create.") var folder: String

    func run() throws {
      guard !FileManager.default.fileExists(atPath: KeysCommand.list(folder)) else {
        throw CommandError(
          "\(folder) holds a list of keys already; add a key with `stepwise keys add`, or choose another folder")
      }
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      var list = AllowList()
      for role in Role.allCases { try KeysCommand.make(role, role.rawValue, in: folder, &list) }
      try list.write(to: KeysCommand.list(folder))
      print("\(KeysCommand.list(folder))  \(list.keys.count) keys; set network.keys to \(folder)")
    }
  }

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Create another key pair, and add it to the list.")

    @Argument(help: "Folder of keys.") var folder: String
    @Argument(help: "Role: actor, reward-server, router, learner or tool.") var role: String
    @Argument(help: "Name of the holder, such as a machine; the file is NAME.key.") var name: String

    func run() throws {
      guard let role = Role(rawValue: role) else {
        throw CommandError("role: expected one of \(Role.names), found \(role)")
      }
      var list = try AllowList(file: KeysCommand.list(folder))
      try KeysCommand.make(role, name, in: folder, &list)
      try list.write(to: KeysCommand.list(folder))
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove a key from the list; running processes notice within a second and close its connections.")

    @Argument(help: "Folder of keys.") var folder: String
    @Argument(help: "Name of the holder on the list.") var name: String

    func run() throws {
      var list = try AllowList(file: KeysCommand.list(folder))
      try list.revoke(name)
      try list.write(to: KeysCommand.list(folder))
      print("removed \(name) from \(KeysCommand.list(folder)); copy the list to every machine that others connect to")
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the list of allowed keys.")

    @Argument(help: "Folder of keys.") var folder: String

    func run() throws {
      for key in try AllowList(file: KeysCommand.list(folder)).keys {
        print("\(key.role.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0)) \(key.publicKey) \(key.name)")
      }
    }
  }
}
