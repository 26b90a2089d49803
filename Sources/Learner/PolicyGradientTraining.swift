// Training by the log-probabilities of steps that were taken: the method chooses units and their order, this computes
// their gradients.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Messages

/// Trains with a policy-gradient method.
final class PolicyGradientTraining: TrainingMethod {
  private let policy: TrainableModel
  private var algorithm: any PolicyGradientAlgorithm

  init(_ policy: TrainableModel, _ algorithm: any PolicyGradientAlgorithm) {
    self.policy = policy
    self.algorithm = algorithm
  }

  var name: String { type(of: algorithm).name }
  func state() throws -> Data { try algorithm.state() }
  func restore(_ state: Data) throws { try algorithm.restore(state) }

  func train(_ batch: EpochBatch, _ intake: any TrainingIntake, _ report: inout EpochReport) throws {
    report.freshRatioError = try freshRatioError(batch, version: report.epoch)
    let chosen = algorithm.units(batch.rewards, epoch: report.epoch)
    report.units = chosen.count
    report.advantageDeviation = EpochReport.moments(chosen.flatMap { $0.advantages.flatMap { $0 } }).deviation
    guard !chosen.isEmpty else { return }
    let units = UnitBatch(batch.groups, chosen)
    var random = policy.seed.fork("updates", report.epoch)
    let updates = algorithm.updates(
      units: chosen.count, steps: algorithm.trainedSteps(ofEpoch: report.epoch), minibatch: policy.settings.minibatchSize,
      accumulation: policy.settings.accumulation, random: &random)
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

  /// Gradients of one minibatch's mean loss times its share of the optimiser step.
  private func minibatchGradients(
    _ entries: [UnitStep], share: Float, _ units: UnitBatch
  ) throws -> (Gradients, LossMetrics) {
    let conditioning = try policy.conditioning(units.prompts(entries))
    let result = Tape.gradients { _ in
      let terms = PolicyTerms(
        logProbabilities: logProbabilities(entries, units, conditioning), behaviour: units.behaviour(entries),
        advantages: units.advantages(entries), steps: entries.map(\.step))
      let (loss, metrics) = algorithm.loss(terms)
      return (loss * share, metrics)
    }
    return (result.parameters, result.extra)
  }

  /// Log-probabilities of some units' steps under the policy as it is, `[G, M]`.
  private func logProbabilities(_ entries: [UnitStep], _ units: UnitBatch, _ conditioning: Conditioning) -> Tensor {
    let timesteps = (0..<units.unitSize).flatMap { _ in entries.map { policy.process.timesteps[$0.step] } }
    let sample = units.states(entries, offset: 0)
    let output = conditioning.output(of: policy.denoise, sample: sample, timesteps: timesteps)
    return policy.process.logProbability(
      of: units.states(entries, offset: 1), output: output, sample: sample, timesteps: timesteps
    ).reshaped([units.unitSize, entries.count])
  }

  /// The largest |ratio - 1| of fresh groups before any update, over every step of one minibatch of them: it is 0 when
  /// actor and learner compute alike. Nil without fresh groups.
  private func freshRatioError(_ batch: EpochBatch, version: Int) throws -> Double? {
    let fresh = batch.groups.indices.filter { batch.groups[$0].policyVersion == version }
      .prefix(policy.settings.minibatchSize)
    guard let first = fresh.first else { return nil }
    let members = Array(batch.groups[first].trajectories.indices)
    let units = UnitBatch(batch.groups, fresh.map { TrainingUnit(group: $0, members: members, advantages: []) })
    var worst = 0.0
    for step in policy.process.timesteps.indices {
      let entries = fresh.indices.map { UnitStep(unit: $0, step: step) }
      let conditioning = try policy.conditioning(units.prompts(entries))
      let ratios = Tape.withoutGradients {
        (logProbabilities(entries, units, conditioning) - units.behaviour(entries)).exp()
      }
      worst = ratios.values.reduce(worst) { max($0, abs(Double($1) - 1)) }
    }
    return worst
  }
}
