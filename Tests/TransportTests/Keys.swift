// A folder of keys for tests, and a log whose lines tests can wait for.

import Foundation
import Logging
import Roles
import Synchronization
import Threads
import Transport

let patience = Duration.seconds(20)

final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  private let added = Mailbox<Void>()
  var all: [String] { lines.withLock { $0 } }

  func add(_ line: String) {
    lines.withLock { $0.append(line) }
    added.put(())
  }

  /// Waits until the lines satisfy a condition; false after the time limit.
  func wait(until condition: ([String]) -> Bool) -> Bool {
    let end = ContinuousClock.now + patience
    while !condition(all) {
      if added.take(timeout: max(.zero, end - .now)) == nil { return condition(all) }
    }
    return true
  }

  var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

  private struct Handler: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.add("\(event.message)") }
  }
}

/// A folder with a key pair per role and the allow-list.
struct Keys {
  let folder: URL
  var list = AllowList()
  var listFile: String { folder.appending(path: Keyring.allowListName).path }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-keys-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for role in Role.allCases { try add(role, role.rawValue) }
  }

  mutating func add(_ role: Role, _ name: String) throws {
    let pair = try KeyPair()
    try pair.write(to: file(name))
    try list.add(AllowedKey(role: role, publicKey: pair.publicKey, name: name))
    try list.write(to: listFile)
  }

  func file(_ name: String) -> String { folder.appending(path: "\(name).key").path }

  func context(_ role: Role, name: String? = nil, logger: Logger = Lines().logger) throws -> Context {
    let security = try Security(folder: folder.path, file: name.map(file) ?? "", insecure: false, role: role)
    return try Context(security: security, logger: logger)
  }

  /// A context with a key pair that is not on the list.
  func strangersContext() throws -> Context {
    try Context(security: .keys(Keyring(own: KeyPair(), allowList: listFile)), logger: Lines().logger)
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }
}
