// The replay on a thread of its own, which waits for the disk while the network thread goes on serving actors. It
// appends what it is given, in that order, and tells of a group only when it is on disk; several groups share one wait.

internal import Foundation
internal import Logging
internal import Messages
internal import Replay
internal import Threads
internal import Training
internal import Transport

/// What the network thread asks of the replay.
enum ReplayRequest: Sendable {
  /// Store a group, which came as this frame, whose checksum was taken then.
  case insert(TrajectoryGroup, frame: Frame, checksum: UInt32, from: LearnerStateMachine.Peer)
  /// Give these groups; answered in the order of asking.
  case read([Int])
  /// Keep the groups of this epoch and later ones, whatever the limits say.
  case keep(epoch: Int)
}

/// What the replay tells the network thread.
struct ReplayEvent: Sendable {
  /// Groups that are on disk now.
  var stored: [(peer: LearnerStateMachine.Peer, number: Int)] = []
  /// Bytes of inserted frames that are done with, stored or not.
  var settledBytes = 0
  /// Groups that were asked for.
  var read: [TrajectoryGroup]?
  /// Groups the limits made it drop.
  var dropped = 0
  /// The last group found no room, and was not stored.
  var isFull = false
  var size: ReplaySize
}

/// How much a replay holds.
struct ReplaySize: Sendable {
  var groups = 0, bytes = 0, segments = 0, cachedBytes = 0

  init(_ store: ReplayStore) {
    (groups, bytes) = (store.count, store.byteCount)
    (segments, cachedBytes) = (store.segmentCount, store.cachedByteCount)
  }
}

/// What was found in the folder.
struct ReplayContents: Sendable {
  /// Numbers of groups that are not trained on yet.
  let waiting: Set<Int>
  /// Groups that were ever stored, and those dropped since.
  let inserted: Int, dropped: Int
  /// Newest life of each actor whose groups are stored, by name.
  let incarnations: [String: Int]
  let size: ReplaySize

  /// - Throws: `TrainingError` when the replay holds groups of other settings.
  init(_ store: ReplayStore, _ settings: LearnerSettings) throws {
    let plan = WorkPlan(settings.work)
    let entries = store.entries
    let waiting = entries.filter { $0.epoch >= settings.firstEpoch }
    for entry in waiting {
      guard plan.numbers(ofEpoch: entry.epoch).contains(entry.number), entry.prompt == plan.prompt(of: entry.number),
        entry.trajectoryCount == settings.work.groupSize
      else {
        throw TrainingError(
          "\(settings.replayFolder.path): group \(entry.number) was made with other prompts, group size, seed or "
            + "groups per epoch; go on with the run's own configuration, or choose another run folder")
      }
    }
    self.waiting = Set(waiting.map(\.number))
    (inserted, dropped) = (store.count + store.droppedCount, store.droppedCount)
    incarnations = Dictionary(entries.map { ($0.actor, $0.incarnation) }, uniquingKeysWith: { max($0, $1) })
    size = ReplaySize(store)
  }
}

/// The replay's thread, as the network thread sees it.
final class ReplayWorker: Sendable {
  private let service: Service<ReplayContents>
  private let commands = Mailbox<ReplayRequest>()

  /// Opens the replay.
  ///
  /// - Parameter events: is told what was done, and closed when the thread ends, however it ends.
  /// - Throws: `ReplayError`, or `TrainingError` when the replay holds groups of other settings.
  init(_ settings: LearnerSettings, events: Mailbox<ReplayEvent>, logger: Logger) throws {
    let commands = commands
    service = try Service(name: "replay") { _, _, announce in
      defer { events.close() }
      let store = try ReplayStore(
        folder: settings.replayFolder,
        origin: ReplayOrigin(
          runID: settings.runID, modelHash: settings.modelHash, configuration: settings.configurationText),
        settings: settings.replay)
      for damage in store.damage { logger.error("replay: \(damage)") }
      announce(try ReplayContents(store, settings))
      var loop = ReplayLoop(store: store, events: events, logger: logger)
      while let portion = commands.takeAllWaiting() { try loop.carryOut(portion) }
      try loop.finish()
    }
  }

  /// What was found in the folder.
  var contents: ReplayContents { service.address }

  func put(_ command: ReplayRequest) { commands.put(command) }

  /// Ends the thread when it has done all that it was asked, and waits for that.
  ///
  /// - Throws: `ReplayError` when the disk failed.
  func finish() throws {
    commands.close()
    try service.join()
  }
}

/// What the replay's thread does; made and used on that thread.
private struct ReplayLoop {
  let store: ReplayStore
  let events: Mailbox<ReplayEvent>
  let logger: Logger
  /// Appended, not yet on disk.
  private var uncommitted: [(peer: LearnerStateMachine.Peer, number: Int)] = []
  private var unsettledBytes = 0
  private var isFull = false

  /// Groups and bytes that share one wait for the disk.
  private static let commitGroups = 64
  private static let commitBytes = 4 << 20

  init(store: ReplayStore, events: Mailbox<ReplayEvent>, logger: Logger) {
    self.store = store
    self.events = events
    self.logger = logger
  }

  mutating func carryOut(_ commands: [ReplayRequest]) throws {
    for command in commands {
      switch command {
      case .insert(let group, let frame, let checksum, let peer):
        try append(group, frame, checksum, peer)
        if uncommitted.count >= Self.commitGroups || unsettledBytes >= Self.commitBytes { try commit() }
      case .read(let numbers):
        let groups = try numbers.map { try store.group($0) }
        tell { $0.read = groups }
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
      // A duplicate within one commit is acknowledged with the first.
      try frame.withUnsafeBytes { _ = try store.append(group, bytes: $0, checksum: checksum) }
      uncommitted.append((peer, group.number))
      if isFull { logger.info("replay: there is room again") }
      isFull = false
    } catch let error as ReplayError where error.kind == .full {
      // Not acknowledged: the actor keeps it and delivers it again.
      if !isFull { logger.error("\(error)") }
      isFull = true
    }
  }

  /// Tells what is on disk; then tidies up, which nobody needs to wait for.
  private mutating func commit() throws {
    guard unsettledBytes > 0 else { return }
    if !uncommitted.isEmpty { try store.commit() }
    let stored = uncommitted, settled = unsettledBytes
    (uncommitted, unsettledBytes) = ([], 0)
    tell { ($0.stored, $0.settledBytes) = (stored, settled) }
    if stored.isEmpty { return }
    let before = store.droppedCount
    do {
      try store.maintain(inBackground: true)
    } catch let error as ReplayError where error.kind == .full {
      logger.error("\(error)")
    }
    if store.droppedCount > before { tell { $0.dropped = store.droppedCount - before } }
  }

  /// Takes over the segment that is being written, so that the next start need not.
  func finish() throws {
    do {
      try store.finishSealing()
    } catch let error as ReplayError where error.kind == .full {
      logger.error("\(error)")
    }
  }

  private func tell(_ what: (inout ReplayEvent) -> Void) {
    var event = ReplayEvent(isFull: isFull, size: ReplaySize(store))
    what(&event)
    events.put(event)
  }
}
