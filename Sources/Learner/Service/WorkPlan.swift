// Which groups are to be made, by whom, and which are there: a pure value without clock or sockets. What a group is
// follows from its number alone, so that it makes no difference who makes it or how often it was lent out.

internal import Engine
package import Messages

/// The assignments of a run.
package struct WorkPlan: Sendable {
  /// What there is to do.
  package struct Settings: Sendable, Equatable {
    /// Seed of the run's random numbers.
    package var seed: UInt64
    /// Prompts to train on, each used equally often.
    package var prompts: [String]
    /// Groups whose trajectories are trained on together.
    package var groupsPerEpoch: Int
    /// Trajectories a group.
    package var groupSize: Int
    /// Epochs in the run.
    package var epochs: Int
    /// The step up to which an epoch's groups share all states, by epoch; an epoch beyond has the last, and all 0 where
    /// there is none.
    package var branchSteps: [Int] = []
    /// The last clean state alone is scored.
    package var finalScoreOnly = false
    /// Epochs that may be sampled ahead with an older policy; 0: every epoch waits for its own policy.
    package var maximumStaleness = 0
    /// Time after which work that was neither delivered nor asked for again goes to others.
    package var leaseDuration: Duration = .seconds(120)

    /// Stops the program when there is nothing to do in it.
    package init(seed: UInt64, prompts: [String], groupsPerEpoch: Int, groupSize: Int, epochs: Int) {
      check(
        !prompts.isEmpty && groupsPerEpoch > 0 && groupSize > 0, "WorkPlan: expected prompts, groups and trajectories")
      self.seed = seed
      self.prompts = prompts
      self.groupsPerEpoch = groupsPerEpoch
      self.groupSize = groupSize
      self.epochs = epochs
    }
  }

  /// Who holds a lease: a connection's routing identity.
  package typealias Holder = [UInt8]

  /// What to do with a delivered group.
  package enum Verdict: Sendable, Equatable {
    /// It is to be stored.
    case wanted
    /// It is there already; its sender may forget it.
    case duplicate
    /// It is to be refused, for this reason.
    case unwanted(String)
  }

  private struct Lease {
    let holder: Holder
    var expires: Duration
  }

  private let settings: Settings
  /// The newest policy; none before the first is published.
  package private(set) var policyVersion: Int?
  /// Numbers of stored groups of epochs that are not trained yet.
  private var stored: Set<Int>
  /// Every open number before this one is stored: a look for work begins here, however large the epoch.
  private var firstMissing = 0
  /// How many of an epoch's groups are stored.
  private var storedCounts: [Int: Int] = [:]
  private var leases: [Int: Lease] = [:]

  /// - Parameter stored: numbers of groups that are there from before.
  package init(_ settings: Settings, stored: Set<Int> = []) {
    self.settings = settings
    self.stored = stored
    countStored()
  }

  private mutating func countStored() {
    storedCounts = Dictionary(grouping: stored) { [settings] in $0 / settings.groupsPerEpoch }.mapValues(\.count)
    firstMissing = 0
    skipStored()
  }

  private mutating func skipStored() {
    firstMissing = max(firstMissing, open.lowerBound)
    while stored.contains(firstMissing) { firstMissing += 1 }
  }

  /// Open numbers from the first that is not stored.
  private var missing: Range<Int> {
    let open = open
    return min(max(open.lowerBound, firstMissing), open.upperBound)..<open.upperBound
  }

  /// Numbers of an epoch's groups.
  package func numbers(ofEpoch epoch: Int) -> Range<Int> {
    epoch * settings.groupsPerEpoch..<(epoch + 1) * settings.groupsPerEpoch
  }

  /// The prompt of a group: the prompts in a random order, then in another, and so on.
  package func prompt(of number: Int) -> String {
    let count = settings.prompts.count
    var random = RandomStream(seed: settings.seed).fork("prompts", number / count)
    return settings.prompts[random.permutation(count)[number % count]]
  }

  /// Numbers that may be made now.
  private var open: Range<Int> {
    guard let policyVersion else { return 0..<0 }
    let end = min(policyVersion + settings.maximumStaleness + 1, settings.epochs)
    let start = min(policyVersion, end)
    return numbers(ofEpoch: start).lowerBound..<(end * settings.groupsPerEpoch)
  }

  /// The groups of an epoch are all there.
  package func isComplete(_ epoch: Int) -> Bool { storedCounts[epoch, default: 0] == settings.groupsPerEpoch }

  /// A policy is in force: the epochs before `version` are trained.
  package mutating func published(_ version: Int) {
    policyVersion = version
    let first = numbers(ofEpoch: version).lowerBound
    stored = stored.filter { $0 >= first }
    leases = leases.filter { $0.key >= first }
    countStored()
  }

  /// Lends out work, lowest numbers first.
  ///
  /// - Parameters:
  ///   - capacity: groups that the holder can take on.
  ///   - held: numbers that it has, whose leases begin anew. What it was lent and does not have, it gets again.
  ///   - fresh: at most so many that nobody was lent before.
  package mutating func assign(
    to holder: Holder, capacity: Int, held: [Int], fresh: Int = .max, now: Duration
  ) -> [Assignment] {
    var fresh = fresh
    let expires = now + settings.leaseDuration
    for number in held where leases[number]?.holder == holder { leases[number]?.expires = expires }
    let has = Set(held)
    var assignments: [Assignment] = []
    for number in missing {
      if assignments.count >= capacity { break }
      guard !stored.contains(number), !has.contains(number) else { continue }
      if let lease = leases[number] {
        if lease.holder != holder, lease.expires > now { continue }
      } else if fresh <= 0 {
        continue
      } else {
        fresh -= 1
      }
      leases[number] = Lease(holder: holder, expires: expires)
      assignments.append(assignment(number))
    }
    return assignments
  }

  private func assignment(_ number: Int) -> Assignment {
    let epoch = number / settings.groupsPerEpoch
    return Assignment(
      number: number, epoch: epoch, prompt: prompt(of: number), groupSize: settings.groupSize,
      policyVersion: min(policyVersion ?? 0, epoch),
      branchStep: settings.branchSteps.isEmpty ? 0 : settings.branchSteps[min(epoch, settings.branchSteps.count - 1)],
      finalScoreOnly: settings.finalScoreOnly)
  }

  /// Judges a delivered group.
  package func judge(_ group: TrajectoryGroup) -> Verdict {
    let number = group.number
    let epoch = number / settings.groupsPerEpoch
    // What is before the open numbers was trained, hence stored.
    if number < open.lowerBound || stored.contains(number) { return .duplicate }
    guard open.contains(number) else { return .unwanted("group \(number) was not assigned") }
    let prompt = prompt(of: number)
    if group.prompt != prompt {
      return .unwanted(
        "group \(number): expected prompt \(prompt.debugDescription), found \(group.prompt.debugDescription)")
    }
    if group.epoch != epoch { return .unwanted("group \(number): expected epoch \(epoch), found \(group.epoch)") }
    if group.trajectories.count != settings.groupSize {
      return .unwanted(
        "group \(number): expected \(settings.groupSize) trajectories, found \(group.trajectories.count)")
    }
    if group.seed != settings.seed {
      return .unwanted("group \(number): expected run seed \(settings.seed), found \(group.seed)")
    }
    let versions = max(0, epoch - settings.maximumStaleness)...epoch
    guard versions.contains(group.policyVersion) else {
      return .unwanted("group \(number): expected policy \(versions), found \(group.policyVersion)")
    }
    return .wanted
  }

  /// A group is on disk.
  ///
  /// - Returns: false when it was before.
  @discardableResult
  package mutating func store(_ number: Int) -> Bool {
    leases[number] = nil
    guard stored.insert(number).inserted else { return false }
    storedCounts[number / settings.groupsPerEpoch, default: 0] += 1
    if number == firstMissing { skipStored() }
    return true
  }

  /// A holder is gone: what it was lent goes to others at once.
  package mutating func release(_ holder: Holder) { leases = leases.filter { $0.value.holder != holder } }

  /// A group could not be taken; it goes to others at once.
  package mutating func release(number: Int) { leases[number] = nil }

  /// Groups that are being made.
  package var leasedCount: Int { leases.count }

  /// There are groups to make that nobody makes.
  package var hasOpenWork: Bool { missing.contains { !stored.contains($0) && leases[$0] == nil } }

  /// There is work for anybody who asks.
  package func hasWork(now: Duration) -> Bool {
    missing.contains { number in !stored.contains(number) && (leases[number].map { $0.expires <= now } ?? true) }
  }

  /// Numbers that need not be made any more among those sampled from a policy.
  package func settled(policyVersion version: Int) -> [Int] {
    let range = numbers(ofEpoch: version).lowerBound..<numbers(ofEpoch: version + settings.maximumStaleness).upperBound
    return range.filter { $0 < open.lowerBound || stored.contains($0) }
  }
}
