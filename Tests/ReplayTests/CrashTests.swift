import Engine
import Foundation
import Glibc
import Messages
import Replay
import Settings
import Synchronization
import Testing

/// Faults from a system call on: everything after it fails too, as if the program had ended there.
private func crash(at index: Int, count: Counter) -> DiskFaults {
  DiskFaults { _, _ in count.next() >= index ? EIO : nil }
}

/// Counts calls.
private final class Counter: Sendable {
  private let value = Mutex(0)
  func next() -> Int {
    value.withLock { count in
      defer { count += 1 }
      return count
    }
  }
  var total: Int { value.withLock { $0 } }
}

@Suite("A crash at any system call")
struct CrashTests {
  /// What the caller was told.
  private final class Account {
    var acknowledged: Set<Int> = [], attempted: Set<Int> = []
  }

  private let settings = ReplaySettings { $0.segmentGroups = 2; $0.maximumTrajectories = 8 }

  /// Groups appended, committed two at a time, sealed by twos, and dropped when there are more than four.
  private func work(_ folder: URL, _ account: Account, _ order: [Int]) throws {
    let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
    store.oldestNeededEpoch = 1
    for start in stride(from: 0, to: order.count, by: 2) {
      let pair = order[start..<start + 2]
      for number in pair {
        account.attempted.insert(number)
        try store.add(number)
      }
      try store.commit()
      account.acknowledged.formUnion(pair)
      try store.maintain()
    }
  }

  /// Acknowledged groups are there, or were dropped by the limits and remembered; all others are there once or not.
  private func verify(_ folder: URL, _ account: Account, _ comment: Comment) throws {
    let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
    try #require(account.acknowledged.allSatisfy { store.contains($0) }, comment)
    try #require(Set(store.numbers).isSubset(of: account.attempted), comment)
    try #require(Set(store.numbers).count == store.numbers.count, comment)
    try #require(store.damage.filter { !$0.isTornTail }.isEmpty, "\(comment) \(store.damage)")
    for number in store.numbers { try #require(try store.holdsExample(number), comment) }
    // At most what the limits allow to drop is gone.
    try #require(account.acknowledged.subtracting(store.numbers).count <= max(0, account.acknowledged.count - 4), comment)
    for number in account.acknowledged { try #require(try store.add(number) == .duplicate, comment) }
    // It goes on.
    try #require(try store.add(1_000) == .stored, comment)
    try store.commit()
  }

  @Test(
    "of commit, seal, rename and dropping loses nothing that was committed and keeps nothing twice",
    arguments: [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 0, 5, 2, 4, 3, 9, 6, 7, 8]])
  func everyCall(order: [Int]) throws {
    var index = 0
    while true {
      let count = Counter()
      let ended = try withFastFolder { folder -> Bool in
        let account = Account()
        let failure = replayError {
          try DiskFaults.$current.withValue(crash(at: index, count: count)) { try work(folder, account, order) }
        }
        try verify(folder, account, "crash at call \(index)")
        return failure == nil
      }
      if ended { break }
      index += 1
    }
    // Otherwise the test has not seen what it is about.
    #expect(index > 100)
  }

  @Test("of the recovery after a crash is survived as well")
  func recovery() throws {
    for first in stride(from: 20, to: 200, by: 9) {
      for second in stride(from: 0, to: 40, by: 3) {
        try withFastFolder { folder in
          let account = Account()
          _ = replayError {
            try DiskFaults.$current.withValue(crash(at: first, count: Counter())) {
              try work(folder, account, Array(0..<10))
            }
          }
          _ = replayError {
            try DiskFaults.$current.withValue(crash(at: second, count: Counter())) {
              _ = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
            }
          }
          try verify(folder, account, "crash at call \(first), again at call \(second)")
        }
      }
    }
  }

  /// A store that was to seal groups 0 and 1 when there was no room for a file, and which took 2 and 3 after that.
  private func overfull(_ folder: URL, _ file: String) throws -> ReplayStore {
    let store = try ReplayStore(
      folder: folder, origin: exampleOrigin, settings: ReplaySettings { $0.segmentGroups = 2 })
    for number in 0..<2 { try store.add(number) }
    try store.commit()
    let full = DiskFaults { _, path in path.hasSuffix(file) ? ENOSPC : nil }
    let failure = replayError { try DiskFaults.$current.withValue(full) { try store.maintain() } }
    try #require(failure?.kind == .full && store.segmentCount == 0)
    for number in 2..<4 { try store.add(number) }
    try store.commit()
    return store
  }

  @Test(
    "after a sealing that had no room, and of the recovery and sealing after it, loses no group",
    arguments: ["journal-000002.partial", "segment-000001.h5.partial"])
  func sealedWithoutRoom(file: String) throws {
    for readsFirst in [false, true] {
      var index = 0
      while true {
        let failure = try withFastFolder { folder -> ReplayError? in
          do { _ = try overfull(folder, file) }
          if readsFirst {
            let reader = try ReplayStore(reading: folder)
            #expect(reader.numbers == Array(0..<4))
            for number in 0..<4 { #expect(try reader.holdsExample(number)) }
          }
          let failure = replayError {
            try DiskFaults.$current.withValue(crash(at: index, count: Counter())) {
              try ReplayStore(folder: folder, origin: exampleOrigin).seal()
            }
          }
          for _ in 0..<2 {
            let store = try ReplayStore(folder: folder, origin: exampleOrigin)
            try #require(store.numbers == Array(0..<4), "crash at call \(index)")
            try #require(store.damage.isEmpty)
            for number in 0..<4 { try #require(try store.holdsExample(number), "crash at call \(index)") }
          }
          return failure
        }
        if failure == nil { break }
        index += 1
      }
      #expect(index > 10)
    }
    // The same without a crash: when there is room all of them are sealed, and nothing before that is dropped.
    try withFastFolder { folder in
      let store = try overfull(folder, file)
      store.oldestNeededEpoch = .max
      try store.add(4)
      try store.seal()
      #expect(store.numbers == Array(0..<5))
      #expect(try names(folder).filter { $0.hasPrefix("journal") }.count == 1)
      for number in 0..<5 { #expect(try store.holdsExample(number)) }
    }
  }

  @Test("of a compaction loses nothing, and a later one ends with full segments")
  func compaction() throws {
    var index = 0
    while true {
      let count = Counter()
      let ended = try withFastFolder { folder -> Bool in
        do {
          let store = try ReplayStore(
            folder: folder, origin: exampleOrigin, settings: ReplaySettings { $0.segmentGroups = 2 })
          for number in 0..<7 {
            try store.add(number)
            try store.maintain()
          }
          try store.commit()
        }
        let whole = ReplaySettings { $0.segmentGroups = 100 }
        let failure = replayError {
          let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: whole)
          try DiskFaults.$current.withValue(crash(at: index, count: count)) { _ = try store.compact() }
        }
        let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: whole)
        try #require(store.numbers == Array(0..<7), "crash at call \(index)")
        try #require(store.trajectoryCount == 14)
        for number in 0..<7 { try #require(try store.holdsExample(number), "crash at call \(index)") }
        try #require(store.damage.isEmpty)
        let after = try store.compact()
        try #require(after.segmentsAfter == 1, "crash at call \(index)")
        for number in 0..<7 { try #require(try store.holdsExample(number), "crash at call \(index)") }
        return failure == nil
      }
      if ended { break }
      index += 1
    }
    #expect(index > 20)
  }

  @Test("a disk that fails to synchronise ends the store: nothing more is committed before it was opened again")
  func brokenDisk() throws {
    try withFolder { folder in
      do {
        let store = try ReplayStore(folder: folder, origin: exampleOrigin)
        try store.add(0)
        try store.commit()
        try store.add(1)
        for code in [EIO, ENOSPC] {
          let failure = replayError {
            try DiskFaults.$current.withValue(DiskFaults { call, _ in call == "fdatasync" ? code : nil }) {
              try store.commit()
            }
          }
          #expect(failure != nil)
        }
        #expect(replayError { try store.commit() }?.problem.contains("start again") == true)
        #expect(replayError { try store.add(2) }?.kind == .system)
      }
      let store = try ReplayStore(folder: folder, origin: exampleOrigin)
      #expect(try store.holdsExample(0))
      #expect(store.damage.isEmpty)
    }
  }

  @Test("a folder that cannot be written is named with what the system says of it")
  func readOnly() throws {
    try withFolder { folder in
      let failure = replayError {
        try DiskFaults.$current.withValue(DiskFaults { call, path in call == "open" && path.hasSuffix("lock") ? EROFS : nil }) {
          _ = try ReplayStore(folder: folder, origin: exampleOrigin)
        }
      }
      #expect(failure?.path == folder.path + "/lock")
      #expect(failure?.problem.contains("Read-only file system") == true)
    }
  }
}
