// The replay on a separate thread, which waits for the disk while the network thread serves actors. It appends groups
// in the order in which it receives them, and reports a group only when it is on disk. Several groups share one wait.

internal import Durable
internal import Foundation
internal import Logging
internal import Messages
internal import Replay
internal import Threads
internal import Training
internal import Transport

enum ReplayRequest: Sendable {
  /// Store a group. The checksum is that of the frame on arrival.
  case insert(TrajectoryGroup, frame: Frame, checksum: UInt32, from: LearnerStateMachine.Peer)
  case read([Int])
  /// Keep the groups of this epoch and later ones, regardless of the limits.
  case keep(epoch: Int)
}

struct ReplayEvent: Sendable {
  var stored: [(peer: LearnerStateMachine.Peer, number: Int)] = []
  var settledBytes = 0
  /// Number of groups that were dropped because of the limits.
  var dropped = 0
  var isFull = false
  var size: ReplaySize
}

struct ReplaySize: Sendable {
  var groups = 0, bytes = 0, segments = 0, cachedBytes = 0

  init(_ store: ReplayStore) {
    (groups, bytes) = (store.count, store.byteCount)
    (segments, cachedBytes) = (store.segmentCount, store.cachedByteCount)
  }
}

struct ReplayContents: Sendable {
  /// Numbers of groups that are not trained on yet.
  let waiting: Set<Int>
  /// Number of groups that were ever stored, and of those dropped since.
  let inserted: Int, dropped: Int
  /// Newest incarnation of each actor whose groups are stored, by name.
  let incarnations: [String: Int]
  let size: ReplaySize

  /// - Throws: `TrainingError` when the replay holds groups of another configuration; `ReplayError`; `SystemError`.
  init(_ store: ReplayStore, _ settings: LearnerSettings, _ judge: GroupJudge) throws {
    let plan = WorkPlan(settings.work)
    let entries = store.entries
    waiting = Set(entries.filter { $0.epoch >= settings.firstEpoch }.map(\.number))
    for number in waiting.sorted() {
      try judge.requireTrainable(try store.group(number), plan, in: settings.replayFolder.path)
    }
    (inserted, dropped) = (store.count + store.droppedCount, store.droppedCount)
    incarnations = Dictionary(entries.map { ($0.actor, $0.incarnation) }, uniquingKeysWith: { max($0, $1) })
    size = ReplaySize(store)
  }
}

final class ReplayWorker: Sendable {
  private let service: Service<ReplayContents>
  private let requests = Mailbox<ReplayRequest>()
  private let answers = Mailbox<[TrajectoryGroup]>()

  /// Opens the replay.
  ///
  /// - Parameter events: receives the reports, and is closed when the thread ends.
  /// - Throws: `ReplayError`; `SystemError`; `TrainingError` when the replay holds groups of another configuration.
  init(_ settings: LearnerSettings, _ judge: GroupJudge, events: Mailbox<ReplayEvent>, logger: Logger) throws {
    let (requests, answers) = (requests, answers)
    service = try Service(name: "replay") { _, _, announce in
      defer {
        answers.close()
        events.close()
      }
      let store = try ReplayStore(
        folder: settings.replayFolder,
        origin: ReplayOrigin(
          runID: settings.runID, modelHash: settings.modelHash, configuration: settings.configurationText),
        settings: settings.replay)
      for damage in store.damage { logger.error("replay: \(damage)") }
      announce(try ReplayContents(store, settings, judge))
      var loop = ReplayLoop(store: store, events: events, answers: answers, logger: logger)
      while let portion = requests.takeAllWaiting() { try loop.carryOut(portion) }
      try loop.finish()
    }
  }

  var contents: ReplayContents { service.address }

  func put(_ request: ReplayRequest) { requests.put(request) }

  /// Reads stored groups, in the order of the numbers. Only the training thread may call it.
  ///
  /// - Throws: the error that ended the thread, as that of a group that is not kept; `TrainingError` when the replay was
  ///   closed.
  func groups(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    put(.read(numbers))
    if let groups = answers.take() { return groups }
    try service.join()
    throw TrainingError("the replay was closed while training read from it; resume the run")
  }

  /// Ends the thread when all requests are carried out, and waits for that. Throws the error that ended the thread.
  func finish() throws {
    requests.close()
    try service.join()
  }
}

/// The loop of the replay thread; created and used on that thread.
private struct ReplayLoop {
  let store: ReplayStore
  let events: Mailbox<ReplayEvent>
  let answers: Mailbox<[TrajectoryGroup]>
  let logger: Logger
  /// Groups that are appended and not yet on disk.
  var uncommitted: [(peer: LearnerStateMachine.Peer, number: Int)] = []
  var unsettledBytes = 0
  var isFull = false

  /// Groups and bytes that share one wait for the disk.
  private static let commitGroups = 64
  private static let commitBytes = 4 << 20

  mutating func carryOut(_ requests: [ReplayRequest]) throws {
    for request in requests {
      switch request {
      case .insert(let group, let frame, let checksum, let peer):
        try append(group, frame, checksum, peer)
        if uncommitted.count >= Self.commitGroups || unsettledBytes >= Self.commitBytes { try commit() }
      case .read(let numbers): answers.put(try numbers.map { try store.group($0) })
      case .keep(let epoch): store.oldestNeededEpoch = epoch
      }
    }
    try commit()
  }

  private mutating func append(
    _ group: TrajectoryGroup, _ frame: Frame, _ checksum: UInt32, _ peer: LearnerStateMachine.Peer
  ) throws {
    unsettledBytes += frame.count
    do {
      // A duplicate within one commit is acknowledged together with the first.
      try frame.withUnsafeBytes { _ = try store.append(group, bytes: $0, checksum: checksum) }
      uncommitted.append((peer, group.number))
      if isFull { logger.info("replay: the disk has space again; groups are stored") }
      isFull = false
    } catch where isOutOfSpace(error) {
      // The group is not acknowledged: the actor keeps it and delivers it again.
      if !isFull { logger.error("replay: \(error). The actors keep their groups until there is space.") }
      isFull = true
    }
  }

  /// Commits and reports the appended groups. Sealing follows, because no actor waits for it.
  private mutating func commit() throws {
    guard unsettledBytes > 0 else { return }
    if !uncommitted.isEmpty { try store.commit() }
    let stored = uncommitted, settled = unsettledBytes
    (uncommitted, unsettledBytes) = ([], 0)
    report { ($0.stored, $0.settledBytes) = (stored, settled) }
    if stored.isEmpty { return }
    let before = store.droppedCount
    try sealing { try store.maintain(inBackground: true) }
    if store.droppedCount > before { report { $0.dropped = store.droppedCount - before } }
  }

  /// Adopts the segment that is being written, so that the next start need not seal it again.
  func finish() throws { try sealing { try store.finishSealing() } }

  /// Seals unless the disk is full: then the groups stay in their journal.
  private func sealing(_ body: () throws -> Void) throws {
    do { try body() } catch where isOutOfSpace(error) {
      logger.error("replay: \(error). The groups stay in their journal until there is space.")
    }
  }

  private func report(_ change: (inout ReplayEvent) -> Void) {
    var event = ReplayEvent(isFull: isFull, size: ReplaySize(store))
    change(&event)
    events.put(event)
  }
}
