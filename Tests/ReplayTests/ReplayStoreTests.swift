import Engine
import Foundation
import Glibc
import Messages
import Replay
import Settings
import Testing

@Suite struct ReplayStoreTests {
  @Test func `groups are read back bit by bit and in the order of their numbers`() throws {
    try withFolder { folder in
      let store = try openStore(folder, segmentGroups: 4)
      for number in [3, 1, 0, 2, 7, 5, 4] {
        #expect(try store.add(number, epoch: number / 4) == .stored)
        try store.commit()
        try store.maintain()
      }
      #expect(try names(folder) == ["journal-000002", "segment-000001.h5"])
      #expect(store.numbers == [0, 1, 2, 3, 4, 5, 7])
      #expect(try store.groups(epoch: 0).map(\.number) == [0, 1, 2, 3])
      #expect(try store.groups(epoch: 1).map(\.number) == [4, 5, 7])
      for number in store.numbers { #expect(try store.holdsExample(number, epoch: number / 4)) }
      #expect(store.trajectoryCount == 14)
      #expect(store.verify().isEmpty)
      #expect(replayError { _ = try store.group(6) }?.kind == .absent)
    }
  }

  @Test func `the index is the same before and after sealing`() throws {
    try withFolder { folder in
      let store = try ReplayStore(folder: folder, origin: exampleOrigin)
      for number in 0..<6 { try store.add(number) }
      let before = store.entries
      try store.seal()
      #expect(store.entries == before)
      #expect(before[2].prompt == "prompt 2 🐸")
      #expect(before[2].rewards == ["alignment": 2.5])
      #expect(before[2].isScored)
      // The mean leaves out the missing last score of the second trajectory.
      #expect(!before[4].isScored)
      #expect(before[4].rewards == ["alignment": 4])
      let again = try ReplayStore(reading: folder)
      #expect(again.entries == before)
      #expect(again.runID == "run-1")
    }
  }

  @Test func `a number is stored once, also after a restart, sealing and dropping`() throws {
    try withFolder { folder in
      let settings = ReplaySettings { $0.segmentGroups = 2; $0.maximumTrajectories = 8 }
      func open() throws -> ReplayStore { try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings) }
      do {
        let store = try open()
        for number in 0..<3 {
          #expect(try store.add(number) == .stored)
          #expect(try store.add(number) == .duplicate)
        }
        try store.commit()
        try store.maintain()
      }
      do {
        let store = try open()
        for number in 0..<3 { #expect(try store.add(number) == .duplicate) }
        for number in 3..<12 {
          try store.add(number)
          try store.commit()
          store.oldestNeededEpoch = 1
          try store.maintain()
        }
        #expect(store.trajectoryCount <= 8)
        #expect(store.numbers == [9, 10, 11])
        #expect(replayError { _ = try store.group(0) }?.problem.contains("dropped") == true)
      }
      let store = try open()
      #expect(store.numbers == [9, 10, 11])
      for number in 0..<12 { #expect(try store.add(number) == .duplicate) }
    }
  }

  @Test func `limits drop the oldest segments that are not needed`() throws {
    try withFolder { folder in
      let size = encoded(exampleGroup(0)).count
      let settings = ReplaySettings { $0.segmentGroups = 2; $0.maximumBytes = 8 * size }
      let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
      for number in 0..<20 {
        try store.add(number, epoch: number / 2)
        try store.commit()
        try store.maintain()
      }
      #expect(store.count == 20)
      store.oldestNeededEpoch = 9
      try store.maintain()
      #expect(store.numbers.last == 19)
      #expect(store.numbers.first! > 0)
      #expect(store.numbers == Array(store.numbers.first!...19))
      #expect(try store.groups(epoch: 9).count == 2)
    }
  }

  @Test func `groups of another shape start another segment`() throws {
    try withFolder { folder in
      let store = try ReplayStore(folder: folder, origin: exampleOrigin)
      try store.add(0, steps: 3)
      try store.add(1, steps: 1)
      try store.add(2, steps: 2)
      try store.seal()
      #expect(store.segmentCount == 3)
      for (number, steps) in [3, 1, 2].enumerated() { #expect(try store.holdsExample(number, steps: steps)) }
    }
  }

  @Test func `sealing in the background loses nothing, and every group stays readable`() throws {
    try withFolder { folder in
      let settings = ReplaySettings { $0.segmentGroups = 4 }
      do {
        let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
        for number in 0..<30 {
          #expect(try store.add(number) == .stored)
          try store.commit()
          try store.maintain(inBackground: true)
          for stored in 0...number { #expect(try store.holdsExample(stored)) }
          #expect(try store.add(number / 2) == .duplicate)
        }
        // Groups that arrive faster than they are sealed wait: a journal holds at most twice the groups of a segment.
        #expect(store.segmentCount >= 2)
      }
      // The store has waited for the sealing in the background.
      let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
      #expect(store.numbers == Array(0..<30) && store.damage.isEmpty)
      #expect(try names(folder).allSatisfy { !$0.hasSuffix(".partial") })
      try store.seal()
      #expect(try names(folder).filter { $0.hasPrefix("journal") }.count == 1)
      for number in 0..<30 { #expect(try store.holdsExample(number)) }
      #expect(try ReplayStore(reading: folder).numbers == Array(0..<30))
    }
  }

  @Test func `random draws are different groups and follow from the stream`() throws {
    try withFolder { folder in
      let store = try openStore(folder, segmentGroups: 5)
      try store.fill(0..<12)
      var one = RandomStream(seed: 4)
      var other = RandomStream(seed: 4)
      let drawn = try store.sample(7, from: &one).map(\.number)
      #expect(Set(drawn).count == 7)
      #expect(try store.sample(7, from: &other).map(\.number) == drawn)
      #expect(try Set(store.sample(12, from: &one).map(\.number)) == Set(0..<12))
    }
  }

  @Test func `a lock of another process on a segment does not prevent reading`() throws {
    try withFolder { folder in
      let store = try ReplayStore(folder: folder, origin: exampleOrigin)
      try store.add(0)
      try store.seal()
      let descriptor = try open(segmentPaths(folder)[0], O_RDONLY)
      defer { close(descriptor) }
      try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
      #expect(try ReplayStore(reading: folder).group(0).number == 0)
    }
  }

  @Test func `another writer, another run and another model are refused`() throws {
    try withFolder { folder in
      do {
        let store = try ReplayStore(folder: folder, origin: exampleOrigin)
        try store.add(0)
        try store.seal()
        let error = replayError { _ = try ReplayStore(folder: folder, origin: exampleOrigin) }
        #expect(error?.kind == .locked)
        #expect(error?.path == folder.path)
        let foreign = exampleGroup(9, runID: "run-2")
        #expect(replayError { try store.append(foreign, bytes: encoded(foreign)) }?.kind == .foreign)
        // A reader may open the folder, and cannot write.
        let reader = try ReplayStore(reading: folder)
        #expect(reader.numbers == [0])
        #expect(replayError { try reader.add(1) }?.problem == "the replay was opened for reading only")
      }
      for origin in [
        ReplayOrigin(runID: "run-2", modelHash: "abc", configuration: ""),
        ReplayOrigin(runID: "run-1", modelHash: "def", configuration: ""),
      ] {
        let error = replayError { _ = try ReplayStore(folder: folder, origin: origin) }
        #expect(error?.kind == .foreign)
        #expect(error?.problem.contains("choose another run folder") == true)
      }
      let nowhere = folder.appendingPathComponent("nowhere")
      #expect(failure { _ = try ReplayStore(reading: nowhere) } != nil)
    }
  }
}
