// B2-DiffuRL, arXiv 2503.11240: branches from a shared prefix, of which the best and the worst are trained on, over an
// interval of last steps that grows from stage to stage. It wraps the loss of another policy-gradient method.

package import Engine
package import Foundation
package import Settings

/// The method B2-DiffuRL. A group is a branch: its trajectories share all states up to `branchStep`.
package struct B2DiffuRL: PolicyGradientAlgorithm {
  package static let name = MethodName.b2DiffuRL
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
    // A pair of a branch's best and worst, whatever the number of branches.
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
    let end = settings.sampling.steps - (settings.training.finalStep ? 0 : 1)
    return min(branchStep(ofEpoch: epoch), end)..<end
  }

  /// Of each branch the best and the worst that pass their thresholds, each by itself on DDPO's loss, as a pair on
  /// SDPO's; a sample's z is its advantage at every step.
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

  /// In the order of the base method.
  package func updates(
    units: Int, steps: Range<Int>, minibatch: Int, accumulation: Int, random: inout RandomStream
  ) -> [[[UnitStep]]] {
    base.updates(units: units, steps: steps, minibatch: minibatch, accumulation: accumulation, random: &random)
  }

  /// The base method's.
  package func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics) { base.loss(terms) }

  package func state() throws -> Data { try encodedState(history) }

  package mutating func restore(_ state: Data) throws {
    let found = try JSONDecoder().decode(StageHistory.self, from: state)
    guard found.length == history.length else {
      throw AlgorithmError(
        "the checkpoint's history holds \(found.length) stages, the configuration's \(history.length); resume with the "
          + "same branches.history")
    }
    history = found
  }
}
