// The order in which an epoch's steps are trained on: pure functions of sizes and a stream.

internal import Basics
package import Engine

/// One step of one unit's trajectories.
package struct UnitStep: Hashable, Sendable {
  /// Index of the unit in the epoch.
  package let unit: Int
  /// Index of the denoising step, 0 the noisiest.
  package let step: Int

  package init(unit: Int, step: Int) {
    self.unit = unit
    self.step = step
  }
}

/// Step-shuffled updates (SDPO, arXiv 2411.11727, section 4.3): an optimiser step each, made of minibatches whose
/// gradients are added up.
///
/// Units are shuffled once, steps are permuted per unit (the same permutation for all trajectories of it). The outer
/// loop runs over step slots, the inner over minibatches, with an optimiser step per `accumulation` minibatches
/// **within** a slot: every unit takes part once a slot, with another step in each slot.
///
/// - Parameters:
///   - units: how many.
///   - steps: denoising steps that are trained.
///   - minibatch: units a minibatch; the last of a slot may be smaller.
///   - accumulation: minibatches an optimiser step; the last of a slot may have fewer.
package func stepShuffledUpdates(
  units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
) -> [[[UnitStep]]] {
  check(minibatch > 0 && accumulation > 0, "stepShuffledUpdates: minibatch \(minibatch), accumulation \(accumulation)")
  let order = random.permutation(units)
  let permutations = order.map { _ in random.permutation(steps.count) }
  return steps.indices.map { $0 - steps.lowerBound }.flatMap { slot in
    let entries = zip(order, permutations).map { UnitStep(unit: $0, step: steps.lowerBound + $1[slot]) }
    return entries.chunks(of: minibatch).chunks(of: accumulation)
  }
}

/// Updates that cover whole trajectories, as DDPO's code has them: the outer loop runs over batches of shuffled units,
/// the inner over their steps, and an optimiser step gathers the gradients of `accumulation` batches over all steps.
///
/// - Parameters: as those of `stepShuffledUpdates`.
package func wholeTrajectoryUpdates(
  units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
) -> [[[UnitStep]]] {
  check(
    minibatch > 0 && accumulation > 0, "wholeTrajectoryUpdates: minibatch \(minibatch), accumulation \(accumulation)")
  return random.permutation(units).chunks(of: minibatch).chunks(of: accumulation).map { batches in
    batches.flatMap { batch in steps.map { step in batch.map { UnitStep(unit: $0, step: step) } } }
  }
}
