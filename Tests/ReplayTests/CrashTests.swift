import Durable
import Engine
import Foundation
import Glibc
import Messages
import Replay
import Settings
import Synchronization
import Testing

/// Makes a system call and all later ones fail, as if the program had ended there.
private func crash(at index: Int, count: Counter) -> DiskFaults {
  DiskFaults { _, _ in count.next() >= index ? EIO : nil }
}

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

@Suite struct CrashTests {
  private final class Account {
    var acknowledged: Set<Int> = [], attempted: Set<Int> = []
  }

  private let settings = ReplaySettings { $0.segmentGroups = 2; $0.maximumTrajectories = 8 }

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

  /// Checks that committed groups are stored or were dropped because of the limits, and that no group is stored twice.
  private func verify(_ folder: URL, _ account: Account, _ comment: Comment) throws {
    let store = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
    try #require(account.acknowledged.allSatisfy { store.contains($0) }, comment)
    try #require(Set(store.numbers).isSubset(of: account.attempted), comment)
    try #require(Set(store.numbers).count == store.numbers.count, comment)
    try #require(store.damage.filter { !$0.isTornTail }.isEmpty, "\(comment) \(store.damage)")
    for number in store.numbers { try #require(try store.holdsExample(number), comment) }
    // No more groups are gone than the limits allow to drop.
    let gone = account.acknowledged.subtracting(store.numbers).count
    try #require(gone <= max(0, account.acknowledged.count - 4), comment)
    for number in account.acknowledged { try #require(try store.add(number) == .duplicate, comment) }
    // The store can be written to.
    try #require(try store.add(1_000) == .stored, comment)
    try store.commit()
  }

  @Test(arguments: [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 0, 5, 2, 4, 3, 9, 6, 7, 8]])
  func `a crash at any system call loses no committed group and stores none twice`(order: [Int]) throws {
    var index = 0
    while true {
      let count = Counter()
      let ended = try withFastFolder { folder -> Bool in
        let account = Account()
        let failure = failure {
          try DiskFaults.$current.withValue(crash(at: index, count: count)) { try work(folder, account, order) }
        }
        try verify(folder, account, "crash at call \(index)")
        return failure == nil
      }
      if ended { break }
      index += 1
    }
    // With fewer calls the test would not have covered sealing and dropping.
    #expect(index > 100)
  }

  @Test func `a crash during the recovery after a crash loses nothing`() throws {
    for first in stride(from: 20, to: 200, by: 9) {
      for second in stride(from: 0, to: 40, by: 3) {
        try withFastFolder { folder in
          let account = Account()
          _ = failure {
            try DiskFaults.$current.withValue(crash(at: first, count: Counter())) {
              try work(folder, account, Array(0..<10))
            }
          }
          _ = failure {
            try DiskFaults.$current.withValue(crash(at: second, count: Counter())) {
              _ = try ReplayStore(folder: folder, origin: exampleOrigin, settings: settings)
            }
          }
          try verify(folder, account, "crash at call \(first), again at call \(second)")
        }
      }
    }
  }

  /// A store that could not seal groups 0 and 1 because a file did not fit on the disk, and stored groups 2 and 3 then.
  private func overfull(_ folder: URL, _ file: String) throws -> ReplayStore {
    let store = try openStore(folder, segmentGroups: 2)
    for number in 0..<2 { try store.add(number) }
    try store.commit()
    let full = DiskFaults { _, path in path == Disk.partial("\(folder.path)/\(file)") ? ENOSPC : nil }
    let failure = failure { try DiskFaults.$current.withValue(full) { try store.maintain() } }
    try #require(failure.map(isOutOfSpace) == true && store.segmentCount == 0)
    for number in 2..<4 { try store.add(number) }
    try store.commit()
    return store
  }

  @Test(arguments: ["journal-000002", "segment-000001.h5"])
  func `a crash after a sealing that found the disk full loses no group`(file: String) throws {
    for readsFirst in [false, true] {
      var index = 0
      while true {
        let last = try withFastFolder { folder -> (any Error)? in
          do { _ = try overfull(folder, file) }
          if readsFirst {
            let reader = try ReplayStore(reading: folder)
            #expect(reader.numbers == Array(0..<4))
            for number in 0..<4 { #expect(try reader.holdsExample(number)) }
          }
          let failure = failure {
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
        if last == nil { break }
        index += 1
      }
      #expect(index > 10)
    }
    // Without a crash all groups are sealed as soon as there is space, and none is dropped before.
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

  @Test func `a crash during a compaction loses nothing, and the next compaction fills the segments`() throws {
    var index = 0
    while true {
      let count = Counter()
      let ended = try withFastFolder { folder -> Bool in
        do {
          let store = try openStore(folder, segmentGroups: 2)
          for number in 0..<7 {
            try store.add(number)
            try store.maintain()
          }
          try store.commit()
        }
        let whole = ReplaySettings { $0.segmentGroups = 100 }
        let failure = failure {
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

  @Test func `after a failed sync the store commits nothing until it is opened again`() throws {
    try withFolder { folder in
      do {
        let store = try ReplayStore(folder: folder, origin: exampleOrigin)
        try store.add(0)
        try store.commit()
        try store.add(1)
        for code in [EIO, ENOSPC] {
          let failure = failure {
            try DiskFaults.$current.withValue(DiskFaults { call, _ in call == .synchronizeData ? code : nil }) {
              try store.commit()
            }
          }
          #expect(failure != nil)
        }
        #expect(replayError { try store.commit() }?.problem.contains("start the program again") == true)
        #expect(replayError { try store.add(2) }?.kind == .broken)
      }
      let store = try ReplayStore(folder: folder, origin: exampleOrigin)
      #expect(try store.holdsExample(0))
      #expect(store.damage.isEmpty)
    }
  }

  @Test func `an error names the file and the reason of the system`() throws {
    try withFolder { folder in
      let readOnly = DiskFaults { call, path in call == .open && path.hasSuffix("lock") ? EROFS : nil }
      let failure = failure {
        try DiskFaults.$current.withValue(readOnly) { _ = try ReplayStore(folder: folder, origin: exampleOrigin) }
      }
      let expected = "could not be opened: Read-only file system; choose a folder on a writable file system"
      #expect(failure.map { "\($0)" } == "\(folder.path)/lock: \(expected)")
    }
  }

  @Test func `a file system without locks is not taken for another process`() throws {
    try withFolder { folder in
      let failure = failure {
        try DiskFaults.$current.withValue(DiskFaults { call, _ in call == .lock ? ENOLCK : nil }) {
          _ = try ReplayStore(folder: folder, origin: exampleOrigin)
        }
      }
      #expect((failure as? SystemError)?.code == ENOLCK)
    }
  }
}
