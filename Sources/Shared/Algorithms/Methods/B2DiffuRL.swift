// B2-DiffuRL, arXiv 2503.11240: trajectories branch from a shared prefix, the best and the worst branch are trained on,
// and the interval of trained last steps grows from stage to stage. It uses the loss of another policy-gradient method.

package import Engine
package import Foundation
package import Settings

/// The trajectories of a group are branches: they share all states up to `branchStep`.
package struct B2DiffuRL: PolicyGradientAlgorithm {
  package let name = MethodName.b2DiffuRL
  package let scoring = Scoring.final

  private let settings: MethodSettings
  private let interval: ProgressiveInterval
  private let base: any PolicyGradientAlgorithm
  private var history: StageHistory

  package init(_ settings: MethodSettings) throws {
    let branches = settings.branches
    self.settings = settings
    interval = try ProgressiveInterval(
      left: branches.shortestInterval, right: branches.longestInterval, stages: branches.stages)
    // The base sees the best and the worst branch as a pair, whatever the number of branches.
    var ofBase = settings
    ofBase.sampling.groupSize = 2
    base =
      switch branches.base {
      case .ddpo: try DDPO(ofBase)
      case .sdpo: try SDPO(ofBase)
      }
    history = StageHistory(length: branches.history)
  }

  package var unitSize: Int { base.unitSize }

  package func branchStep(ofEpoch epoch: Int) -> Int { settings.sampling.steps - interval.length(atStage: epoch) }

  package func trainedSteps(ofEpoch epoch: Int) -> Range<Int> {
    let end = Algorithms.trainedSteps(of: settings.sampling.steps, finalStep: settings.training.finalStep).upperBound
    return min(branchStep(ofEpoch: epoch), end)..<end
  }

  /// The best and the worst branch of each group that pass their thresholds: each on its own for DDPO's loss, as a pair
  /// for SDPO's. The z of a trajectory is its advantage at every step.
  package mutating func units(_ groups: [GroupRewards], epoch: Int) -> [TrainingUnit] {
    let prompts = groups.flatMap { [String](repeating: $0.prompt, count: $0.dense.count) }
    var normalized = history.normalized(groups.flatMap(\.final), prompts: prompts)[...]
    return groups.enumerated().flatMap { index, group -> [TrainingUnit] in
      let z = Array(normalized.prefix(group.dense.count))
      normalized = normalized.dropFirst(group.dense.count)
      let choice = BranchChoice(
        z, positive: settings.branches.positiveThreshold, negative: settings.branches.negativeThreshold)
      let chosen = [choice.best, choice.worst].compactMap { $0 }
      func unit(_ members: [Int]) -> TrainingUnit {
        TrainingUnit(
          group: index, members: members,
          advantages: members.map { [Float](repeating: z[$0], count: settings.sampling.steps) })
      }
      if base is SDPO { return chosen.count == 2 ? [unit(chosen)] : [] }
      return chosen.map { unit([$0]) }
    }
  }

  package func updates(
    units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
  ) -> [[[UnitStep]]] {
    base.updates(units: units, steps: steps, minibatch: minibatch, accumulation: accumulation, random: &random)
  }

  package func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics) { base.loss(terms) }

  package func state() throws -> Data { try encodedState(history) }

  package mutating func restore(_ state: Data) throws {
    let found = try JSONDecoder().decode(StageHistory.self, from: state)
    guard found.length == history.length else {
      throw AlgorithmError(
        "the checkpoint's history holds \(found.length) stages, but branches.history is \(history.length); resume with "
          + "the value of the checkpoint")
    }
    history = found
  }
}
