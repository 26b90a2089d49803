// Checks that actor and learner compute the same probabilities: the ratio of fresh data is 1 before any update, with
// every method.

internal import Algorithms
internal import Configuration
internal import Diffusion
internal import Engine
internal import Messages

extension TrainableModel {
  /// Log-probabilities of the steps under the current policy, `[G, M]`. Trajectories in the same state share one
  /// evaluation of the network.
  func logProbabilities(_ entries: [UnitStep], _ units: UnitBatch, _ conditioning: Conditioning) -> Tensor {
    let timesteps = (0..<units.unitSize).flatMap { _ in entries.map { process.timesteps[$0.step] } }
    let sample = units.states(entries, offset: 0)
    let first = units.firstAlike(entries)
    let rows = first.indices.filter { first[$0] == $0 }
    var places = [Int](repeating: 0, count: first.count)
    for (place, row) in rows.enumerated() { places[row] = place }
    let output = conditioning.rows(rows).output(
      of: denoise, sample: sample.rows(rows), timesteps: rows.map { timesteps[$0] }
    ).rows(first.map { places[$0] })
    return process.logProbability(
      of: units.states(entries, offset: 1), output: output, sample: sample, timesteps: timesteps
    ).reshaped([units.unitSize, entries.count])
  }

  /// The largest |ratio - 1| over all steps of the first fresh group, before any update; nil without fresh groups. It
  /// is 0 when actor and learner compute the same probabilities.
  func freshRatioError(_ batch: EpochBatch, version: Int) throws -> Double? {
    let fresh = batch.groups.indices.filter { batch.groups[$0].policyVersion == version }
      .prefix(1)
    guard let first = fresh.first else { return nil }
    let members = Array(batch.groups[first].trajectories.indices)
    let units = UnitBatch(batch.groups, fresh.map { TrainingUnit(group: $0, members: members, advantages: []) })
    var worst = 0.0
    for step in process.timesteps.indices {
      let entries = fresh.indices.map { UnitStep(unit: $0, step: step) }
      let conditioning = try conditioning(units.prompts(entries))
      let ratios = Tape.withoutGradients {
        (logProbabilities(entries, units, conditioning) - units.behaviour(entries)).exp()
      }
      worst = ratios.values.reduce(worst) { max($0, abs(Double($1) - 1)) }
    }
    return worst
  }
}
