// A disk that is soon full.

public import Foundation

/// A file system of a few mebibytes in memory, for as long as a body runs.
public enum SmallDisk {
  /// Whether this machine lets us mount one: root may.
  public static let isAllowed = (try? with(mebibytes: 1) { _ in true }) == true

  /// Calls `body` with the disk's folder; nil where mounting is not allowed.
  public static func with<Result>(mebibytes: Int, _ body: (URL) throws -> Result) throws -> Result? {
    let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-disk-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    guard run("mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m", "stepwise-test", folder.path) else { return nil }
    defer { _ = run("umount", "-l", folder.path) }
    return try body(folder)
  }

  /// Runs a command; true when it ended well.
  private static func run(_ command: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
