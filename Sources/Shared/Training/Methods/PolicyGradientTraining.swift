// Trains with the log-probabilities of the sampled steps: the method chooses units and their order, and this file
// computes their gradients.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Messages

final class PolicyGradientTraining: TrainingMethod {
  private let policy: TrainableModel
  private var algorithm: any PolicyGradientAlgorithm

  init(_ policy: TrainableModel, _ algorithm: any PolicyGradientAlgorithm) {
    self.policy = policy
    self.algorithm = algorithm
  }

  var name: String { algorithm.name.rawValue }
  func state() throws -> Data { try algorithm.state() }
  func restore(_ state: Data) throws { try algorithm.restore(state) }

  func train(_ batch: EpochBatch, _ stored: StoredGroups, _ report: inout EpochReport) throws {
    report.freshRatioError = try policy.freshRatioError(batch, version: report.epoch)
    let chosen = algorithm.units(batch.rewards, epoch: report.epoch)
    report.units = chosen.count
    report.advantageStd = Moments(chosen.flatMap { $0.advantages.flatMap { $0 } }).std
    guard !chosen.isEmpty else { return }
    let units = UnitBatch(batch.groups, chosen)
    var random = policy.seed.fork("updates", report.epoch)
    let updates = algorithm.updates(
      units: chosen.count, steps: algorithm.trainedSteps(ofEpoch: report.epoch),
      minibatch: policy.settings.minibatchSize, accumulation: policy.settings.accumulation, random: &random)
    for minibatches in updates {
      let count = minibatches.reduce(0) { $0 + $1.count }
      var gradients = Gradients()
      for entries in minibatches {
        let (part, metrics) = try minibatchGradients(entries, share: Float(entries.count) / Float(count), units)
        gradients.add(part)
        report.losses.append(metrics)
      }
      try policy.update(gradients, &report)
    }
  }

  /// Gradients of the mean loss of one minibatch, times its share of the update.
  private func minibatchGradients(
    _ entries: [UnitStep], share: Float, _ units: UnitBatch
  ) throws -> (Gradients, LossMetrics) {
    let conditioning = try policy.conditioning(units.prompts(entries))
    let result = Tape.gradients { _ in
      let terms = PolicyTerms(
        logProbabilities: policy.logProbabilities(entries, units, conditioning), behaviour: units.behaviour(entries),
        advantages: units.advantages(entries), steps: entries.map(\.step))
      let (loss, metrics) = algorithm.loss(terms)
      return (loss * share, metrics)
    }
    return (result.parameters, result.extra)
  }
}
