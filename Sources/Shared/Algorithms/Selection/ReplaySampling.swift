// The stored states that an off-policy method starts from (SQDF, arXiv 2512.04559, and its published code): a table of
// stored trajectories. A draw depends only on the table and a random stream.

package import Engine
package import Settings

/// A stored trajectory and the step to start from.
package struct ReplayDraw: Sendable, Hashable {
  /// The group's number in the run.
  package let number: Int
  /// The trajectory's index in the group.
  package let member: Int
  /// Step index; 0 is the noisiest.
  package let step: Int
}

/// Trajectories that can be drawn. Adding, removing and drawing one take O(log n).
package struct ReplayTable: Codable, Sendable, Equatable {
  package struct Row: Codable, Sendable, Equatable {
    /// The group's number in the run.
    package let number: Int
    /// The trajectory's index in the group.
    package let member: Int
    /// The epoch that it was sampled for.
    package let epoch: Int
    package let prompt: String
    /// The score of its last clean state.
    package let reward: Float

    package init(number: Int, member: Int, epoch: Int, prompt: String, reward: Float) {
      self.number = number
      self.member = member
      self.epoch = epoch
      self.prompt = prompt
      self.reward = reward
    }
  }

  private struct Key: Hashable {
    let number: Int, member: Int
  }

  /// By slot; slots of removed rows are reused.
  private var slots: [Row?] = []
  private var free: [Int] = []
  private var slotOf: [Key: Int] = [:]
  private var slotsOfEpoch: [Int: Set<Int>] = [:]
  private var byReward = SelectionTree(), byEpoch = SelectionTree()

  package init() {}

  package var count: Int { slotOf.count }
  /// Ordered by number, then by member; takes O(n log n).
  package var rows: [Row] { slots.compactMap { $0 }.sorted { ($0.number, $0.member) < ($1.number, $1.member) } }

  /// Adds the trajectories of an epoch, and removes those of epochs before `oldest`.
  package mutating func add(_ new: [Row], oldest: Int) {
    for epoch in slotsOfEpoch.keys.filter({ $0 < oldest }).sorted() {
      for slot in slotsOfEpoch.removeValue(forKey: epoch)!.sorted() { forget(slot) }
    }
    for row in new.sorted(by: { ($0.number, $0.member) < ($1.number, $1.member) }) where row.epoch >= oldest {
      let key = Key(number: row.number, member: row.member)
      check(slotOf[key] == nil, "ReplayTable: trajectory \(row.member) of group \(row.number) is there already")
      let slot = free.popLast() ?? slots.count
      if slot == slots.count { slots.append(row) } else { slots[slot] = row }
      note(row, slot)
    }
  }

  private mutating func note(_ row: Row, _ slot: Int) {
    slotOf[Key(number: row.number, member: row.member)] = slot
    slotsOfEpoch[row.epoch, default: []].insert(slot)
    byReward[slot] = Double(row.reward)
    byEpoch[slot] = Double(row.epoch)
  }

  private mutating func forget(_ slot: Int) {
    guard let row = slots[slot] else { return }
    slotOf[Key(number: row.number, member: row.member)] = nil
    slots[slot] = nil
    free.append(slot)
    byReward[slot] = nil
    byEpoch[slot] = nil
  }

  /// Probabilities of trajectory (row) and step (column): p ∝ max(r, 0) γ^(T-1-i), all 0 when no reward is positive.
  /// There is one reward per trajectory; `steps` is T, `discount` is γ.
  package static func priorities(rewards: [Float], steps: Int, discount: Float) -> [[Double]] {
    let powers = powers(steps: steps, discount: discount)
    let weights = rewards.map { max(Double($0), 0) }
    let total = weights.reduce(0, +) * powers.reduce(0, +)
    return weights.map { weight in powers.map { total > 0 ? weight * $0 / total : 0 } }
  }

  /// γ^(T-1-i)
  private static func powers(steps: Int, discount: Float) -> [Double] {
    var powers = [Double](repeating: 1, count: steps)
    for step in powers.indices.dropLast().reversed() { powers[step] = powers[step + 1] * Double(discount) }
    return powers
  }

  /// Draws starting states; the table is unchanged afterwards.
  ///
  /// - Parameters:
  ///   - steps: steps to start from; all have the same chance, except with `rewardGamma`.
  ///   - discount: γ of `rewardGamma`.
  /// - Throws: `AlgorithmError` when `rewardGamma` finds no positive reward.
  package mutating func draw(
    _ count: Int, _ sampling: ReplaySampling, steps: Range<Int>, discount: Float, random: inout RandomStream
  ) throws -> [ReplayDraw] {
    check(self.count > 0 && !steps.isEmpty, "ReplayTable: \(self.count) trajectories, steps \(steps)")
    let found: [Int]
    switch sampling {
    case .uniform, .onPolicy, .reward, .onPolicyRandom: found = withoutReplacement(count, sampling, &random)
    case .rewardGamma:
      guard byReward.total > 0 else { throw nothingPositive }
      found = (0..<count).map { _ in byReward.proportional(&random)! }
    }
    // Trajectory and step are independent: p is a product.
    var ofSteps = SelectionTree()
    if sampling == .rewardGamma {
      for (step, power) in Self.powers(steps: steps.count, discount: discount).enumerated() { ofSteps[step] = power }
    }
    return found.map { slot in
      let step = ofSteps.count > 0 ? ofSteps.proportional(&random)! : random.integer(below: steps.count)
      return ReplayDraw(number: slots[slot]!.number, member: slots[slot]!.member, step: steps.lowerBound + step)
    }
  }

  /// `count` slots; if there are fewer, all of them are drawn again in the same way.
  private mutating func withoutReplacement(
    _ count: Int, _ sampling: ReplaySampling, _ random: inout RandomStream
  ) -> [Int] {
    let newest = byEpoch.largest
    var found: [Int] = []
    while found.count < count {
      var taken: [(slot: Int, epoch: Double, reward: Double)] = []
      while found.count < count, byEpoch.count > 0 {
        let slot: Int
        switch sampling {
        case .reward: slot = byReward.largest(&random)!
        case .onPolicy: slot = byEpoch.largest(&random)!
        case .onPolicyRandom where byEpoch.largest == newest: slot = byEpoch.largest(&random)!
        default: slot = byEpoch.uniform(&random)!
        }
        found.append(slot)
        taken.append((slot, byEpoch[slot]!, byReward[slot]!))
        byEpoch[slot] = nil
        byReward[slot] = nil
      }
      for (slot, epoch, reward) in taken {
        byEpoch[slot] = epoch
        byReward[slot] = reward
      }
    }
    return found
  }

  private var nothingPositive: AlgorithmError {
    AlgorithmError(
      "gradient.sampling: reward+gamma draws in proportion to positive rewards, and none of the \(count) stored "
        + "trajectories has one (the best is \(byReward.largest ?? 0)); choose uniform, or a reward above 0")
  }
}

extension ReplayTable {
  private enum CodingKeys: String, CodingKey { case slots, free }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    slots = try container.decode([Row?].self, forKey: .slots)
    free = try container.decode([Int].self, forKey: .free)
    for (slot, row) in slots.enumerated() { if let row { note(row, slot) } }
  }

  /// Writes the rows, and which slots are next: equal tables give equal bytes.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(slots, forKey: .slots)
    try container.encode(free, forKey: .free)
  }
}
