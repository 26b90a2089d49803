// The order of step-shuffled updates (SDPO, arXiv 2411.11727, section 4.3): a pure function of sizes and a stream.

public import Engine

/// One step of one group's trajectories.
public struct GroupStep: Hashable, Sendable {
  /// Index of the group in the batch.
  public let group: Int
  /// Index of the denoising step, 0 the noisiest.
  public let step: Int

  public init(group: Int, step: Int) {
    self.group = group
    self.step = step
  }
}

/// The updates of one pass over a batch: an optimiser step each, made of minibatches whose gradients are added up.
///
/// Groups are shuffled once, steps are permuted per group (the same permutation for all trajectories of it). The outer
/// loop runs over step slots, the inner over minibatches, with an optimiser step per `accumulation` minibatches
/// **within** a slot: every group takes part once a slot, with another step in each slot.
///
/// - Parameters:
///   - groups: number of groups.
///   - steps: denoising steps a trajectory.
///   - minibatch: groups a minibatch; the last of a slot may be smaller.
///   - accumulation: minibatches an optimiser step; the last of a slot may have fewer.
public func stepShuffledUpdates(
  groups: Int, steps: Int, minibatch: Int, accumulation: Int, random: inout RandomStream
) -> [[[GroupStep]]] {
  check(minibatch > 0 && accumulation > 0, "stepShuffledUpdates: minibatch \(minibatch), accumulation \(accumulation)")
  let order = random.permutation(groups)
  let permutations = order.map { _ in random.permutation(steps) }
  return (0..<steps).flatMap { slot in
    let entries = zip(order, permutations).map { GroupStep(group: $0, step: $1[slot]) }
    return entries.chunks(of: minibatch).chunks(of: accumulation)
  }
}

extension Array {
  /// Consecutive parts of `size`; the last may be smaller.
  fileprivate func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
