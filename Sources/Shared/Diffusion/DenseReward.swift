// Rewards of every step of a trajectory from the scores of a few of its clean states: by similarity in latent space
// (SDPO, arXiv 2411.11727, section 4.2, and its published code for the order of overwriting), or the last one alone.

package import Engine

/// How similar the clean states of one trajectory are to its first, anchor and last.
package struct LatentSimilarity: Sendable {
  /// cos(x̂0_i, x̂0_0), N of them.
  package let first: [Float]
  /// cos(x̂0_i, x̂0_{N-1})
  package let last: [Float]
  /// cos(x̂0_i, x̂0_anchor)
  package let toAnchor: [Float]
  /// The step whose clean state is least similar to the first and the last; the earliest of equals.
  package let anchor: Int

  /// - Parameters:
  ///   - cleanStates: of one trajectory, `[N, C, H, W]`.
  ///   - anchor: nil chooses it.
  package init(cleanStates: Tensor, anchor: Int? = nil) {
    let count = cleanStates.shape[0]
    let flat = cleanStates.detached.reshaped([count, -1])
    let norms = flat.squared().sum(axes: [1], keepAxes: true).sqrt()
    let unit = flat / norms.clamped(1e-8, .greatestFiniteMagnitude)
    // The similarity of a state to itself is set to 1: rounding would otherwise decide ties for the anchor.
    let cosines = unit.matmul(unit.permuted([1, 0])).values
    func column(_ j: Int) -> [Float] { (0..<count).map { $0 == j ? 1 : cosines[min($0, j) * count + max($0, j)] } }
    let first = column(0), last = column(count - 1)
    let sums = zip(first, last).map { $0 + $1 }
    let chosen = anchor ?? sums.indices.min { sums[$0] < sums[$1] }!
    self.first = first
    self.last = last
    self.anchor = chosen
    toAnchor = column(chosen)
  }

  /// The steps whose clean states are scored, ascending: one for N = 1, two for N = 2, at most three.
  package var scoredSteps: [Int] { Array(Set([0, anchor, first.count - 1])).sorted() }

  /// Dense rewards, N of them.
  ///
  ///     r_i = (r_first s_first(i) + r_anchor s_anchor(i) + r_last s_last(i)) / (s_first(i) + s_anchor(i) + s_last(i))
  ///
  /// and the scores themselves at the first, the last and the anchor step, in this order.
  package func denseRewards(first head: Float, anchor middle: Float, last tail: Float) -> [Float] {
    var rewards = first.indices.map { i in
      (head * first[i] + middle * toAnchor[i] + tail * last[i]) / (first[i] + toAnchor[i] + last[i])
    }
    rewards[0] = head
    rewards[rewards.count - 1] = tail
    rewards[anchor] = middle
    return rewards
  }
}

/// Which clean states of one trajectory are scored, and how the rewards of its steps follow from the scores.
package enum TrajectoryScoring: Sendable {
  /// First, anchor and last, with dense rewards by similarity.
  case dense(LatentSimilarity)
  /// The last of `steps` alone; the steps before it have reward 0 (Black et al., arXiv 2305.13301).
  case final(steps: Int)

  /// The scoring of a trajectory that has been scored before, with clean states `[N, C, H, W]`. Dense scoring always
  /// includes the first step, so scores of the last step alone mean final scoring (for N = 1 both are the same).
  package init(cleanStates: Tensor, anchor: Int, scoredSteps: Set<Int>) {
    let steps = cleanStates.shape[0]
    self = scoredSteps == [steps - 1]
      ? .final(steps: steps) : .dense(LatentSimilarity(cleanStates: cleanStates, anchor: anchor))
  }

  /// The steps whose clean states are scored, ascending.
  package var scoredSteps: [Int] {
    switch self {
    case .dense(let similarity): similarity.scoredSteps
    case .final(let steps): [steps - 1]
    }
  }

  /// The step that is stored as the anchor.
  package var anchor: Int {
    switch self {
    case .dense(let similarity): similarity.anchor
    case .final(let steps): steps - 1
    }
  }

  /// Rewards of all N steps from scores by step, one for each of `scoredSteps`; nil when a score is missing or a reward
  /// is not finite.
  package func rewards(scores: [Int: Float]) -> [Float]? {
    let found = scoredSteps.compactMap { scores[$0] }
    guard found.count == scoredSteps.count else { return nil }
    let rewards: [Float]
    switch self {
    case .dense(let similarity):
      rewards = similarity.denseRewards(first: found[0], anchor: scores[anchor]!, last: found[found.count - 1])
    case .final(let steps): rewards = [Float](repeating: 0, count: steps - 1) + found
    }
    return rewards.allSatisfy(\.isFinite) ? rewards : nil
  }
}
