// Stepwise Diffusion Policy Optimization (SDPO), arXiv 2411.11727: pairs of trajectories from one initial state, dense
// rewards, per-step advantages, and a loss on differences of log-ratios. Where the paper and its published code differ,
// this follows the code.

package import Engine
package import Foundation
package import Settings

package struct SDPO: PolicyGradientAlgorithm {
  package let name = MethodName.sdpo
  package let scoring = Scoring.dense
  package let unitSize = 2

  private let sampling: SamplingSettings
  private let training: TrainingSettings
  private var statistics: PromptStatistics

  package init(_ settings: MethodSettings) throws {
    sampling = settings.sampling
    training = settings.training
    statistics = try PromptStatistics(
      bufferSize: training.statisticsBufferSize, minimumCount: training.statisticsMinimumCount)
  }

  /// Returns R_i = r_i + γ R_{i+1}, normalized per (prompt, step), or over the batch if that is switched off.
  package mutating func advantages(denseRewards: [[Float]], prompts: [String]) -> [[Float]] {
    let returns = denseRewards.map { discountedReturns($0, discount: training.discount) }
    guard training.normalizesPerPrompt else { return batchAdvantages(returns: returns) }
    return statistics.advantages(returns: returns, prompts: prompts)
  }

  package func trainedSteps(ofEpoch epoch: Int) -> Range<Int> {
    Algorithms.trainedSteps(of: sampling.steps, finalStep: training.finalStep)
  }

  /// The pairs of every group: its first and second trajectory, its third and fourth, and so on.
  package mutating func units(_ groups: [GroupRewards], epoch: Int) -> [TrainingUnit] {
    let found = advantages(
      denseRewards: groups.flatMap(\.dense),
      prompts: groups.flatMap { [String](repeating: $0.prompt, count: $0.dense.count) })
    var first = 0
    return groups.enumerated().flatMap { index, group in
      defer { first += group.dense.count }
      return stride(from: 0, to: group.dense.count - 1, by: 2).map { member in
        TrainingUnit(
          group: index, members: [member, member + 1], advantages: [found[first + member], found[first + member + 1]])
      }
    }
  }

  package func updates(
    units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
  ) -> [[[UnitStep]]] {
    stepShuffledUpdates(
      units: units, steps: steps, minibatch: minibatch, accumulation: accumulation, random: &random)
  }

  /// The dense reward-difference loss of one denoising step i of each pair.
  ///
  ///     L = mean( max( (λ^i/s · Δlog ρ − ΔA)², (λ^i/s · Δlog ρ_clip − ΔA)² ) )
  ///
  /// Δ is trajectory 1 minus trajectory 2 of a pair; log ρ = log π − log π_behaviour; log ρ_clip is log ρ limited to
  /// ± `logRatioClip`; each A is limited to ± `advantageClip` before the difference; s is `logScale`; G is 2.
  package func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics) {
    check(terms.logProbabilities.shape[0] == 2, "SDPO: expected pairs, found \(terms.logProbabilities.shape)")
    let weights = Tensor(
      terms.steps.map { pow(training.lambda, Float($0)) / training.logScale }, shape: [terms.steps.count])
    let ratios = terms.logProbabilities - terms.behaviour
    let clippedRatios = ratios.clamped(-training.logRatioClip, training.logRatioClip)
    let advantage = Self.difference(terms.advantages.clamped(-training.advantageClip, training.advantageClip))

    let free = (weights * Self.difference(ratios) - advantage).squared()
    let clipped = (weights * Self.difference(clippedRatios) - advantage).squared()
    return clippedLoss(free: free, clipped: clipped, logRatios: ratios)
  }

  /// Trajectory 1 minus trajectory 2: `[2, M]` to `[M]`.
  private static func difference(_ pairs: Tensor) -> Tensor {
    (pairs.slice(axis: 0, 0..<1) - pairs.slice(axis: 0, 1..<2)).reshaped([-1])
  }

  package func state() throws -> Data { try encodedState(statistics) }

  package mutating func restore(_ state: Data) throws {
    try statistics.restore(JSONDecoder().decode(PromptStatistics.self, from: state))
  }
}
