// B2-DiffuRL, arXiv 2503.11240: branches from a shared prefix, of which the best and the worst are trained on, over an
// interval of last steps that grows from stage to stage. It wraps the loss of another policy-gradient method.

package import Engine
package import Foundation

/// What B2-DiffuRL is set with; the values are the published ones for 20 steps.
package struct BranchOptions: Sendable {
  /// The method whose loss is taken: ddpo or sdpo.
  package var base = "ddpo"
  /// Last steps trained at the first stage; branches split where they begin.
  package var shortestInterval = 14
  /// Last steps trained at the last stage.
  package var longestInterval = 20
  /// Stages, an epoch each.
  package var stages = 100
  /// Stages before the present one whose scores normalise with it.
  package var history = 8
  /// The best of a branch is kept from this z on.
  package var positiveThreshold: Float = 0.5
  /// The worst of a branch is kept below this z.
  package var negativeThreshold: Float = -0.5

  package init() {}
}

/// The method B2-DiffuRL. A group is a branch: its trajectories share all states up to `branchStep`.
package struct B2DiffuRL: PolicyGradientAlgorithm {
  package static let name = "b2-diffurl"
  package let scoring = Scoring.final

  private let options: AlgorithmOptions
  private let interval: ProgressiveInterval
  private let base: any PolicyGradientAlgorithm
  private var history: StageHistory

  /// - Throws: `AlgorithmError` for groups of one, an interval longer than a trajectory, or a base that is none.
  package init(_ options: AlgorithmOptions) throws {
    let branches = options.branches
    guard options.groupSize >= 2 else {
      throw AlgorithmError(
        "sampling.groupSize: expected at least 2, because b2-diffurl chooses among branches, found \(options.groupSize)")
    }
    guard branches.longestInterval <= options.steps else {
      throw AlgorithmError(
        "branches.longestInterval: expected at most sampling.steps (\(options.steps)), found \(branches.longestInterval)")
    }
    guard branches.history >= 0 else {
      throw AlgorithmError("branches.history: expected 0 or more, found \(branches.history)")
    }
    self.options = options
    interval = try ProgressiveInterval(
      left: branches.shortestInterval, right: branches.longestInterval, stages: branches.stages)
    // A pair of a branch's best and worst, whatever the number of branches.
    var ofBase = options
    ofBase.groupSize = 2
    switch branches.base {
    case DDPO.name: base = try DDPO(ofBase)
    case SDPO.name: base = try SDPO(ofBase)
    default: throw AlgorithmError("branches.base: expected ddpo or sdpo, found \(branches.base)")
    }
    history = StageHistory(length: branches.history)
  }

  package var unitSize: Int { base.unitSize }

  package func branchStep(ofEpoch epoch: Int) -> Int { options.steps - interval.length(atStage: epoch) }

  package func trainedSteps(ofEpoch epoch: Int) -> Range<Int> {
    let end = options.steps - (options.finalStep ? 0 : 1)
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
        z, positive: options.branches.positiveThreshold, negative: options.branches.negativeThreshold)
      let chosen = [choice.best, choice.worst].compactMap { $0 }
      func unit(_ members: [Int]) -> TrainingUnit {
        TrainingUnit(
          group: index, members: members,
          advantages: members.map { [Float](repeating: z[$0], count: options.steps) })
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
