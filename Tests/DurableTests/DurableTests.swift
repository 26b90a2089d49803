import Durable
import Fixtures
import Foundation
import Glibc
import Testing

@Suite struct DurableTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "durable-" + UUID().uuidString)
    try Disk.createFolder(folder.path)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  private func error(_ body: () throws -> Void) -> SystemError? {
    do { try body() } catch { return error as? SystemError }
    return nil
  }

  @Test func `a file is written whole, with its permissions, and replaced`() throws {
    try withFolder { folder in
      let path = folder + "/file"
      try Disk.writeWhole([1, 2, 3], to: path, permissions: 0o600)
      #expect(try Disk.read(path) == [1, 2, 3])
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      try Disk.writeWhole(to: path) { write in
        for part: [UInt8] in [[4], [], [5, 6]] { try part.withUnsafeBytes { try write($0) } }
      }
      #expect(try Disk.read(path) == [4, 5, 6])
      #expect(try Disk.names(in: folder) == ["file"])
    }
  }

  @Test func `a failure at any system call leaves the old content or the new one, and no unfinished file`() throws {
    try withFolder { folder in
      let path = folder + "/file"
      try Disk.writeWhole([1], to: path)
      for call: FileCall in [.open, .write, .synchronize, .rename] {
        let faults = DiskFaults { made, _ in made == call ? EIO : nil }
        let failure = error { try DiskFaults.$current.withValue(faults) { try Disk.writeWhole([2], to: path) } }
        #expect(failure?.code == EIO)
        #expect(try Disk.read(path) == [1])
        #expect(try Disk.names(in: folder) == ["file"])
      }
    }
  }

  @Test func `a new file never replaces another`() throws {
    try withFolder { folder in
      try Disk.create([1], at: folder + "/file")
      #expect(error { try Disk.create([2], at: folder + "/file") }?.code == EEXIST)
      #expect(try Disk.read(folder + "/file") == [1])
    }
  }

  @Test func `an append that fails leaves no part`() throws {
    try withFolder { folder in
      let file = try OpenFile(folder + "/file", .creating)
      try file.append([1, 2])
      let faults = DiskFaults { call, _ in call == .write ? ENOSPC : nil }
      #expect(throws: SystemError.self) { try DiskFaults.$current.withValue(faults) { try file.append([3]) } }
      try file.append([4])
      #expect(try Disk.read(folder + "/file") == [1, 2, 4])
    }
  }

  @Test func `a lock that another holds is told apart from a file system without locks`() throws {
    try withFolder { folder in
      var first = try OpenFile(folder + "/lock", .creating), second = try OpenFile(folder + "/lock", .creating)
      #expect(try first.lock())
      #expect(try !second.lock())
      let failure = error {
        try DiskFaults.$current.withValue(DiskFaults { call, _ in call == .lock ? EOPNOTSUPP : nil }) {
          _ = try second.lock()
        }
      }
      #expect(failure?.code == EOPNOTSUPP)
    }
  }

  @Test func `an error has the path, the reason and the advice`() throws {
    try withFolder { folder in
      let missing = folder + "/none/file"
      #expect(
        error { try Disk.writeWhole([], to: missing) }?.description
          == "\(missing): could not be opened: No such file or directory; check the path")
      #expect(error { _ = try Disk.names(in: folder + "/none") }?.code == ENOENT)
      try Disk.writeWhole([], to: folder + "/file")
      #expect(error { try Disk.createFolder(folder + "/file/inner") }?.code == ENOTDIR)
    }
  }

  @Test(.enabled(if: SmallDisk.isAllowed, "mounting a small disk needs root"))
  func `a full disk is recognized by its errno, in errors of Foundation too`() throws {
    for code in [ENOSPC, EDQUOT] { #expect(isOutOfSpace(SystemError("could not be written", code: code))) }
    #expect(!isOutOfSpace(SystemError("could not be written", code: EIO)))
    _ = try SmallDisk.with(mebibytes: 1) { disk in
      let bytes = Data(repeating: 1, count: 2 << 20), file = disk.appending(path: "file")
      do { try Disk.writeWhole(bytes, to: file.path) } catch { #expect(isOutOfSpace(error)) }
      do { try bytes.write(to: file) } catch { #expect(isOutOfSpace(error), "\(error)") }
    }
  }
}
