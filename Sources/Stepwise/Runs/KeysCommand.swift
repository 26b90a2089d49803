// `stepwise keys`: key pairs and the list of who may take part in a run, as files.

import ArgumentParser
import Foundation
import Roles
import Supervision
import Transport

struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Make and revoke the keys by which the parts of a run know each other.",
    discussion: """
      A run whose network.keys names a folder of keys encrypts every connection between its processes and admits only \
      keys on the folder's list, each for its role. docs/security.md says what that protects, and which file belongs \
      on which machine.
      """,
    subcommands: [Make.self, Add.self, Revoke.self, List.self])

  static func list(_ folder: String) -> String { "\(folder)/\(Keyring.allowListName)" }

  /// Makes a pair, and puts its public key on the list.
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
      abstract: "Make a new folder with one pair for each role, and the list of them.")

    @Argument(help: "The folder to make.") var folder: String

    func run() throws {
      guard !FileManager.default.fileExists(atPath: KeysCommand.list(folder)) else {
        throw CommandError(
          "\(folder): expected a folder without keys, found a list of them; add to it with `stepwise keys add`, or give "
            + "another folder")
      }
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      var list = AllowList()
      for role in Role.allCases { try KeysCommand.make(role, role.rawValue, in: folder, &list) }
      try list.write(to: KeysCommand.list(folder))
      print("\(KeysCommand.list(folder))  \(list.keys.count) keys; set network.keys: \(folder)")
    }
  }

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make one more pair, and put it on the list.")

    @Argument(help: "The folder of keys.") var folder: String
    @Argument(help: "actor, reward-server, router, learner or tool.") var role: String
    @Argument(help: "Names the holder, such as a machine; the file is NAME.key.") var name: String

    func run() throws {
      guard let role = Role(rawValue: role) else {
        throw CommandError("\(role): expected one of the roles \(Role.names)")
      }
      var list = try AllowList(file: KeysCommand.list(folder))
      try KeysCommand.make(role, name, in: folder, &list)
      try list.write(to: KeysCommand.list(folder))
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a key off the list; running processes see it within a second, on open connections too.")

    @Argument(help: "The folder of keys.") var folder: String
    @Argument(help: "The holder's name on the list.") var name: String

    func run() throws {
      var list = try AllowList(file: KeysCommand.list(folder))
      try list.revoke(name)
      try list.write(to: KeysCommand.list(folder))
      print("\(name) is off \(KeysCommand.list(folder)); copy the list to every machine that others connect to")
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show who may take part.")

    @Argument(help: "The folder of keys.") var folder: String

    func run() throws {
      for key in try AllowList(file: KeysCommand.list(folder)).keys {
        print("\(key.role.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0)) \(key.publicKey) \(key.name)")
      }
    }
  }
}
