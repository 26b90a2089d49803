// Denoising Diffusion Policy Optimization with importance sampling (DDPO-IS), arXiv 2305.13301, as its published code
// for PyTorch computes it: the reward of the final picture, one advantage per trajectory, and PPO's clipped ratio
// (Schulman et al., arXiv 1707.06347).

package import Engine
package import Foundation
package import Settings

package struct DDPO: PolicyGradientAlgorithm {
  package let name = MethodName.ddpo
  package let scoring = Scoring.final

  private let sampling: SamplingSettings
  private let training: TrainingSettings
  private var statistics: PromptStatistics

  package init(_ settings: MethodSettings) throws {
    sampling = settings.sampling
    training = settings.training
    statistics = try PromptStatistics(
      bufferSize: training.statisticsBufferSize, minimumCount: training.statisticsMinimumCount)
  }

  package func trainedSteps(ofEpoch epoch: Int) -> Range<Int> {
    Algorithms.trainedSteps(of: sampling.steps, finalStep: training.finalStep)
  }

  /// Every trajectory on its own: its final reward, normalized per prompt or over the batch, is the advantage of all
  /// its steps.
  package mutating func units(_ groups: [GroupRewards], epoch: Int) -> [TrainingUnit] {
    let rewards = groups.flatMap { $0.final.map { [$0] } }
    let prompts = groups.flatMap { [String](repeating: $0.prompt, count: $0.dense.count) }
    let advantages =
      training.normalizesPerPrompt
      ? statistics.advantages(returns: rewards, prompts: prompts) : batchAdvantages(returns: rewards)
    let places = groups.indices.flatMap { group in groups[group].dense.indices.map { (group, $0) } }
    return zip(places, advantages).map { place, advantage in
      TrainingUnit(
        group: place.0, members: [place.1], advantages: [[Float](repeating: advantage[0], count: sampling.steps)])
    }
  }

  package func updates(
    units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
  ) -> [[[UnitStep]]] {
    wholeTrajectoryUpdates(
      units: units, steps: steps, minibatch: minibatch, accumulation: accumulation, random: &random)
  }

  /// PPO's clipped loss.
  ///
  ///     L = mean( max( -A ρ, -A clamp(ρ, 1 - ε, 1 + ε) ) ),  ρ = exp(log π - log π_behaviour)
  ///
  /// ε is `logRatioClip`; each A is limited to ± `advantageClip`.
  /// G may be any number, and all terms have the same weight.
  package func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics) {
    let logRatios = terms.logProbabilities - terms.behaviour, ratio = logRatios.exp()
    let advantage = terms.advantages.clamped(-training.advantageClip, training.advantageClip)
    let free = -(advantage * ratio)
    let clipped = -(advantage * ratio.clamped(1 - training.logRatioClip, 1 + training.logRatioClip))
    return clippedLoss(free: free, clipped: clipped, logRatios: logRatios)
  }

  package func state() throws -> Data { try encodedState(statistics) }

  package mutating func restore(_ state: Data) throws {
    try statistics.restore(JSONDecoder().decode(PromptStatistics.self, from: state))
  }
}
