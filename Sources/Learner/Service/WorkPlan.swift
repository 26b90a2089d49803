// Which groups are to be sampled, by which actor, and which are stored. A pure value without clock or sockets. A group's
// prompt and epoch follow from its number alone, so it does not matter which actor samples it or how often it was
// assigned.

internal import Engine
package import Messages

package struct WorkPlan: Sendable {
  package struct Settings: Sendable, Equatable {
    package var seed: UInt64
    /// Prompts to train on; each is used equally often.
    package var prompts: [String]
    package var groupsPerEpoch: Int
    package var groupSize: Int
    package var epochs: Int
    /// By epoch, the step up to which a group's trajectories share all states. Later epochs use the last value; an empty
    /// list means 0.
    package var branchSteps: [Int] = []
    /// Whether only the last clean state is scored.
    package var finalScoreOnly = false
    /// Number of epochs that may be sampled ahead with an older policy; with 0 every epoch waits for its own policy.
    package var maximumStaleness = 0
    /// Time after which an assignment that was neither delivered nor renewed goes to another actor.
    package var leaseDuration: Duration = .seconds(120)

    package init(seed: UInt64, prompts: [String], groupsPerEpoch: Int, groupSize: Int, epochs: Int) {
      check(
        !prompts.isEmpty && groupsPerEpoch > 0 && groupSize > 0, "WorkPlan: expected at least one prompt, group and trajectory")
      (self.seed, self.prompts, self.groupsPerEpoch) = (seed, prompts, groupsPerEpoch)
      (self.groupSize, self.epochs) = (groupSize, epochs)
    }
  }

  /// The holder of a lease: a connection's routing identity.
  package typealias Holder = [UInt8]

  private struct Lease {
    let holder: Holder
    var expires: Duration
  }

  private let settings: Settings
  /// The newest policy; nil before the first one is published.
  package private(set) var policyVersion: Int?
  /// Numbers of stored groups whose epochs are not trained yet.
  private var stored: Set<Int>
  /// Every open number before this one is stored, so the search for work begins here.
  private var firstMissing = 0
  private var storedCounts: [Int: Int] = [:]
  private var leases: [Int: Lease] = [:]

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

  /// The open numbers from the first one that is not stored.
  private var missing: Range<Int> {
    let open = open
    return min(max(open.lowerBound, firstMissing), open.upperBound)..<open.upperBound
  }

  package func numbers(ofEpoch epoch: Int) -> Range<Int> {
    epoch * settings.groupsPerEpoch..<(epoch + 1) * settings.groupsPerEpoch
  }

  /// The prompt of a group: all prompts in a random order, then in another one, and so on.
  package func prompt(of number: Int) -> String {
    let count = settings.prompts.count
    var random = RandomStream(seed: settings.seed).fork("prompts", number / count)
    return settings.prompts[random.permutation(count)[number % count]]
  }

  /// The numbers that may be sampled now.
  private var open: Range<Int> {
    guard let policyVersion else { return 0..<0 }
    let end = min(policyVersion + settings.maximumStaleness + 1, settings.epochs)
    let start = min(policyVersion, end)
    return numbers(ofEpoch: start).lowerBound..<(end * settings.groupsPerEpoch)
  }

  package func isComplete(_ epoch: Int) -> Bool { storedCounts[epoch, default: 0] == settings.groupsPerEpoch }

  /// Puts a policy in force. The epochs before `version` are trained.
  package mutating func published(_ version: Int) {
    policyVersion = version
    let first = numbers(ofEpoch: version).lowerBound
    stored = stored.filter { $0 >= first }
    leases = leases.filter { $0.key >= first }
    countStored()
  }

  /// Assigns work, lowest numbers first.
  ///
  /// - Parameters:
  ///   - capacity: number of groups that the holder can take.
  ///   - held: numbers that the holder has; their leases are renewed. Assignments of the holder that are not in the list
  ///     got lost, and are sent again.
  ///   - fresh: the largest number of groups without a lease to assign.
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

  /// Whether a group is stored. Groups before the open numbers are trained, so they are stored.
  package func isSettled(_ number: Int) -> Bool { number < open.lowerBound || stored.contains(number) }

  package func isOpen(_ number: Int) -> Bool { open.contains(number) }

  /// The versions of the policy that a group of an epoch may be sampled from.
  package func policyVersions(ofEpoch epoch: Int) -> ClosedRange<Int> {
    max(0, epoch - settings.maximumStaleness)...epoch
  }

  /// How a group differs from the assignment of its number; nil when it does not.
  package func difference(of group: TrajectoryGroup) -> String? {
    let prompt = prompt(of: group.number), epoch = group.number / settings.groupsPerEpoch
    if group.prompt != prompt { return "expected prompt \(prompt.debugDescription), found \(group.prompt.debugDescription)" }
    if group.epoch != epoch { return "expected epoch \(epoch), found \(group.epoch)" }
    return group.seed == settings.seed ? nil : "expected run seed \(settings.seed), found \(group.seed)"
  }

  /// Records that a group is on disk. Returns false when it was recorded before.
  @discardableResult
  package mutating func store(_ number: Int) -> Bool {
    leases[number] = nil
    guard stored.insert(number).inserted else { return false }
    storedCounts[number / settings.groupsPerEpoch, default: 0] += 1
    if number == firstMissing { skipStored() }
    return true
  }

  package mutating func release(_ holder: Holder) { leases = leases.filter { $0.value.holder != holder } }

  package mutating func release(number: Int) { leases[number] = nil }

  package var leasedCount: Int { leases.count }

  /// Whether a group may be sampled that has no lease.
  package var hasOpenWork: Bool { missing.contains { !stored.contains($0) && leases[$0] == nil } }

  /// Whether any actor could be given work.
  package func hasWork(now: Duration) -> Bool {
    missing.contains { number in !stored.contains(number) && (leases[number].map { $0.expires <= now } ?? true) }
  }

  /// The numbers of stored groups among those that may be sampled from a policy.
  package func settled(policyVersion version: Int) -> [Int] {
    let range = numbers(ofEpoch: version).lowerBound..<numbers(ofEpoch: version + settings.maximumStaleness).upperBound
    return range.filter { isSettled($0) }
  }
}
