// Policy-gradient methods: they learn from the log-probabilities of sampled steps. A method chooses the units of an
// epoch that are trained on, their order, and the loss.

package import Engine

/// The rewards of the trajectories of one group.
package struct GroupRewards: Sendable {
  package let prompt: String
  /// One row per trajectory, one column per step; 0 before the last step where only the last state was scored.
  package let dense: [[Float]]

  package init(prompt: String, dense: [[Float]]) {
    self.prompt = prompt
    self.dense = dense
  }

  var final: [Float] { dense.map { $0[$0.count - 1] } }
}

/// Trajectories of one group whose steps enter a loss together: a pair for SDPO, a single one for DDPO.
package struct TrainingUnit: Sendable, Equatable {
  /// Index of the group in the batch.
  package let group: Int
  /// Indices of the trajectories in the group, G of them.
  package let members: [Int]
  /// One row per member, one column per step.
  package let advantages: [[Float]]

  package init(group: Int, members: [Int], advantages: [[Float]]) {
    self.group = group
    self.members = members
    self.advantages = advantages
  }
}

/// The inputs of a loss: one step each of M units of G trajectories.
package struct PolicyTerms {
  /// Log-probabilities under the policy in training, tracked by the tape, `[G, M]`.
  package let logProbabilities: Tensor
  /// Log-probabilities under the policy that took the steps, `[G, M]`.
  package let behaviour: Tensor
  /// Advantages, `[G, M]`.
  package let advantages: Tensor
  /// The step index of each unit, 0 the noisiest; M of them.
  package let steps: [Int]

  package init(logProbabilities: Tensor, behaviour: Tensor, advantages: Tensor, steps: [Int]) {
    let shape = logProbabilities.shape
    check(
      shape.count == 2 && behaviour.shape == shape && advantages.shape == shape && steps.count == shape[1],
      "PolicyTerms: shapes \(shape), \(behaviour.shape), \(advantages.shape), \(steps.count) steps")
    self.logProbabilities = logProbabilities
    self.behaviour = behaviour
    self.advantages = advantages
    self.steps = steps
  }
}

package struct LossMetrics: Sendable, Equatable {
  /// The value of the loss. SDPO's is dominated by the advantages, so it does not show whether training works.
  package var loss: Float
  /// Mean of log π - log π_behaviour.
  package var logRatioMean: Float
  /// Its population standard deviation.
  package var logRatioStd: Float
  /// Its largest absolute value.
  package var logRatioMax: Float
  /// Fraction of the terms in which the clipped loss was the larger one.
  package var clipFraction: Float

  package init(loss: Float, logRatios: [Float], clipFraction: Float) {
    let moments = Moments(logRatios)
    self.loss = loss
    logRatioMean = Float(moments.mean)
    logRatioStd = Float(moments.std)
    logRatioMax = logRatios.map(abs).max() ?? 0
    self.clipFraction = clipFraction
  }
}

package protocol PolicyGradientAlgorithm: Algorithm {
  /// The steps of a trajectory that an epoch trains.
  func trainedSteps(ofEpoch epoch: Int) -> Range<Int>

  /// The units of an epoch's groups that are trained on, with advantages; updates the statistics of prompts.
  mutating func units(_ groups: [GroupRewards], epoch: Int) -> [TrainingUnit]

  /// The order of an epoch's updates, each made of minibatches whose gradients are added up.
  ///
  /// - Parameters:
  ///   - minibatch: units per minibatch.
  ///   - accumulation: minibatches per update.
  func updates(
    units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
  ) -> [[[UnitStep]]]

  /// The scalar to minimize, and its measurements. A pure function.
  func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics)
}

/// A clipped loss, mean(max(free, clipped)), and its measurements: `free` is the loss of each term, `clipped` that with
/// the clipped ratio, of the same shape.
func clippedLoss(free: Tensor, clipped: Tensor, logRatios: Tensor) -> (loss: Tensor, metrics: LossMetrics) {
  let loss = Tensor.maximum(free, clipped).mean()
  let held = zip(free.values, clipped.values).count { $1 > $0 }
  let metrics = LossMetrics(
    loss: loss.item, logRatios: logRatios.values, clipFraction: Float(held) / Float(max(free.count, 1)))
  return (loss, metrics)
}
