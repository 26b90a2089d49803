// The order in which the steps of an epoch are trained on. Pure functions of sizes and a random stream.

internal import Basics
package import Engine

/// One step of the trajectories of one unit.
package struct UnitStep: Hashable, Sendable {
  /// Index of the unit in the epoch.
  package let unit: Int
  /// Index of the denoising step; 0 is the noisiest.
  package let step: Int

  package init(unit: Int, step: Int) {
    self.unit = unit
    self.step = step
  }
}

/// Step-shuffled updates (SDPO, arXiv 2411.11727, section 4.3), each made of minibatches whose gradients are added up.
///
/// Units are shuffled once, and steps are permuted per unit (all trajectories of a unit share the permutation). The
/// outer loop runs over step slots, the inner one over minibatches, with one update per `accumulation` minibatches
/// **within** a slot: every unit occurs once per slot, with a different step in each slot.
///
/// - Parameters:
///   - minibatch: units per minibatch; the last minibatch of a slot may be smaller.
///   - accumulation: minibatches per update; the last update of a slot may have fewer.
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

/// Updates that cover whole trajectories, as in DDPO's code: the outer loop runs over batches of shuffled units, the
/// inner one over their steps, and an update adds up the gradients of `accumulation` batches over all steps.
package func wholeTrajectoryUpdates(
  units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
) -> [[[UnitStep]]] {
  check(
    minibatch > 0 && accumulation > 0, "wholeTrajectoryUpdates: minibatch \(minibatch), accumulation \(accumulation)")
  return random.permutation(units).chunks(of: minibatch).chunks(of: accumulation).map { batches in
    batches.flatMap { batch in steps.map { step in batch.map { UnitStep(unit: $0, step: step) } } }
  }
}
