// Which stored states an off-policy method starts from (SQDF, arXiv 2512.04559, and its published code): a table of
// what is stored, and draws from it that follow from the table and a stream alone.

public import Engine

/// How trajectories are drawn.
public enum ReplaySampling: String, Sendable, CaseIterable {
  /// Every trajectory alike, different ones as far as there are.
  case uniform
  /// The newest.
  case onPolicy = "on-policy"
  /// Those with the highest rewards.
  case reward
  /// Trajectory and step together, with replacement: p ∝ max(r, 0) γ^(T-1-i).
  case rewardGamma = "reward+gamma"
  /// All of the newest epoch, the rest from older ones, every one alike.
  case onPolicyRandom = "on-policy+random"
}

/// A stored trajectory, and the step of it to start from.
public struct ReplayDraw: Sendable, Hashable {
  /// The group's number in the run.
  public let number: Int
  /// The trajectory's index in the group.
  public let member: Int
  /// Step index, 0 the noisiest.
  public let step: Int
}

/// Trajectories that can be drawn.
public struct ReplayTable: Codable, Sendable, Equatable {
  /// One trajectory.
  public struct Row: Codable, Sendable, Equatable {
    /// The group's number in the run.
    public let number: Int
    /// The trajectory's index in the group.
    public let member: Int
    /// The epoch it was sampled for.
    public let epoch: Int
    /// The score of its last clean state.
    public let reward: Float

    public init(number: Int, member: Int, epoch: Int, reward: Float) {
      self.number = number
      self.member = member
      self.epoch = epoch
      self.reward = reward
    }
  }

  /// In the order of numbers, then of members.
  public private(set) var rows: [Row] = []

  public init() {}

  /// Adds an epoch's trajectories, and forgets those of epochs before `oldest`.
  public mutating func add(_ new: [Row], oldest: Int) {
    rows = rows.filter { $0.epoch >= oldest } + new.sorted { ($0.number, $0.member) < ($1.number, $1.member) }
  }

  /// Probabilities of trajectory and step: p ∝ max(r, 0) γ^(T-1-i), all 0 when no reward is positive.
  ///
  /// - Parameters:
  ///   - rewards: one a trajectory.
  ///   - steps: T.
  ///   - discount: γ.
  /// - Returns: a row a trajectory, a column a step.
  public static func priorities(rewards: [Float], steps: Int, discount: Float) -> [[Double]] {
    var powers = [Double](repeating: 1, count: steps)
    for step in powers.indices.dropLast().reversed() { powers[step] = powers[step + 1] * Double(discount) }
    let weights = rewards.map { max(Double($0), 0) }
    let total = weights.reduce(0, +) * powers.reduce(0, +)
    return weights.map { weight in powers.map { total > 0 ? weight * $0 / total : 0 } }
  }

  /// Draws starting states.
  ///
  /// - Parameters:
  ///   - count: how many.
  ///   - steps: those that may be started from; drawn alike, but for `rewardGamma`.
  ///   - discount: γ of `rewardGamma`.
  /// - Throws: `AlgorithmError` when `rewardGamma` finds no positive reward.
  public func draw(
    _ count: Int, _ sampling: ReplaySampling, steps: Range<Int>, discount: Float, random: inout RandomStream
  ) throws -> [ReplayDraw] {
    check(!rows.isEmpty && !steps.isEmpty, "ReplayTable: \(rows.count) trajectories, steps \(steps)")
    if sampling == .rewardGamma { return try byPriority(count, steps: steps, discount: discount, random: &random) }
    return order(sampling, count, random: &random).map { row in
      ReplayDraw(
        number: rows[row].number, member: rows[row].member,
        step: steps.lowerBound + random.integer(below: steps.count))
    }
  }

  /// Rows, as many as are asked for; where there are fewer, they come again in the same manner.
  private func order(_ sampling: ReplaySampling, _ count: Int, random: inout RandomStream) -> [Int] {
    var found: [Int] = []
    while found.count < count {
      let shuffled = random.permutation(rows.count)
      switch sampling {
      case .uniform, .rewardGamma: found += shuffled
      case .onPolicy: found += shuffled.enumerated().sorted { a, b in
        (-rows[a.element].epoch, a.offset) < (-rows[b.element].epoch, b.offset)
      }.map(\.element)
      case .reward: found += shuffled.enumerated().sorted { a, b in
        (-rows[a.element].reward, a.offset) < (-rows[b.element].reward, b.offset)
      }.map(\.element)
      case .onPolicyRandom:
        let newest = rows.map(\.epoch).max()
        found += shuffled.filter { rows[$0].epoch == newest } + shuffled.filter { rows[$0].epoch != newest }
      }
    }
    return Array(found.prefix(count))
  }

  private func byPriority(
    _ count: Int, steps: Range<Int>, discount: Float, random: inout RandomStream
  ) throws -> [ReplayDraw] {
    let table = Self.priorities(rewards: rows.map(\.reward), steps: steps.count, discount: discount)
    var sums: [Double] = []
    for value in table.joined() { sums.append((sums.last ?? 0) + value) }
    guard let total = sums.last, total > 0 else {
      throw AlgorithmError(
        "gradient.sampling: reward+gamma draws by positive rewards, and none of the \(rows.count) stored trajectories "
          + "has one (the best is \(rows.map(\.reward).max() ?? 0)); choose uniform, or a reward above 0")
    }
    return (0..<count).map { _ in
      let target = Double(random.uniform()) * total
      // The first sum beyond the target.
      var low = 0, high = sums.count - 1
      while low < high {
        let middle = (low + high) / 2
        if sums[middle] > target { high = middle } else { low = middle + 1 }
      }
      let row = rows[low / steps.count]
      return ReplayDraw(number: row.number, member: row.member, step: steps.lowerBound + low % steps.count)
    }
  }
}
