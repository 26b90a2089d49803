// Methods that learn from the log-probabilities of steps that were taken: what of an epoch they train on, in which
// order, and by which loss.

package import Engine

/// What the rewards of one group's trajectories are.
package struct GroupRewards: Sendable {
  /// The prompt they share.
  package let prompt: String
  /// A row a trajectory, a column a step; where only the last state was scored, 0 before it.
  package let dense: [[Float]]

  package init(prompt: String, dense: [[Float]]) {
    self.prompt = prompt
    self.dense = dense
  }

  /// Scores of the last clean states.
  var final: [Float] { dense.map { $0[$0.count - 1] } }
}

/// Trajectories of one group whose steps enter a loss together: SDPO's pair, DDPO's single one.
package struct TrainingUnit: Sendable, Equatable {
  /// Index of the group in the batch.
  package let group: Int
  /// Indices of the trajectories in the group, G of them.
  package let members: [Int]
  /// A row a member, a column a step.
  package let advantages: [[Float]]

  package init(group: Int, members: [Int], advantages: [[Float]]) {
    self.group = group
    self.members = members
    self.advantages = advantages
  }
}

/// One step each of M units of G trajectories, as a loss sees them.
package struct PolicyTerms {
  /// Log-probabilities under the policy that is trained, tracked, `[G, M]`.
  package let logProbabilities: Tensor
  /// Those under the policy that took the steps, `[G, M]`.
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

/// What a loss says about the policy beside its value.
package struct LossMetrics: Sendable, Equatable {
  /// The loss's value. SDPO's is dominated by the advantages: no measure of health.
  package var loss: Float
  /// Mean of log π - log π_behaviour.
  package var logRatioMean: Float
  /// Its population standard deviation.
  package var logRatioDeviation: Float
  /// Its largest absolute value.
  package var logRatioLargest: Float
  /// Part of the terms in which the clipped loss was the larger one.
  package var clipFraction: Float

  package init(loss: Float, logRatios: [Float], clipFraction: Float) {
    let moments = Moments(logRatios)
    self.loss = loss
    logRatioMean = Float(moments.mean)
    logRatioDeviation = Float(moments.std)
    logRatioLargest = logRatios.map(abs).max() ?? 0
    self.clipFraction = clipFraction
  }
}

/// A method that learns by the log-probabilities of steps that were taken.
package protocol PolicyGradientAlgorithm: Algorithm {
  /// Steps of a trajectory that an epoch trains.
  func trainedSteps(ofEpoch epoch: Int) -> Range<Int>

  /// What of an epoch's groups is trained on, with advantages; statistics of prompts are updated.
  mutating func units(_ groups: [GroupRewards], epoch: Int) -> [TrainingUnit]

  /// The order of an epoch's updates: optimiser steps, made of minibatches whose gradients are added up.
  ///
  /// - Parameters:
  ///   - units: how many.
  ///   - steps: those that are trained.
  ///   - minibatch: units at once.
  ///   - accumulation: minibatches to an optimiser step.
  func updates(
    units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
  ) -> [[[UnitStep]]]

  /// The scalar to minimise, and what it says about the policy. A pure function.
  func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics)
}
