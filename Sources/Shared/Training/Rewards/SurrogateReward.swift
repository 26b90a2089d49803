// The surrogate reward of LaSRO (arXiv 2411.15247): a reward on latents that is fitted to rankings before the policy is
// trained, and again in every epoch, so that the policy cannot over-optimize it. While it does not rank held-out pairs
// well enough, it is fitted again and the policy is not trained.

internal import Algorithms
internal import Basics
internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Messages
internal import Models

final class SurrogateReward: DifferentiableReward {
  private let policy: TrainableModel
  private let settings: LasroSettings
  private let openArchive: OpenArchive
  private let surrogate: LatentSurrogate
  private let optimizer: AdamW
  /// The optimizer step of a restored state, until its moments are restored.
  private var restoredStep = 0

  /// Limits of the number of held-out pairs; older epochs are included until the lower limit is reached.
  private static let mostHeldOut = 256, leastHeldOut = 16
  /// Held-out pairs per evaluation of the surrogate.
  private static let evaluationBatch = 32

  init(_ policy: TrainableModel, _ configuration: Configuration, openArchive: @escaping OpenArchive) throws {
    self.policy = policy
    self.openArchive = openArchive
    settings = configuration.lasro
    surrogate = try LatentSurrogate(
      sharingWeightsOf: policy.model.unet, trainsBackbone: settings.trainsBackbone,
      random: policy.seed.fork("surrogate"))
    optimizer = AdamW(
      parameters: surrogate.parameters, learningRate: settings.learningRate, weightDecay: settings.weightDecay)
  }

  func scores(_ cleanStates: Tensor, prompts: [String], conditioning: Conditioning) throws -> Tensor {
    // The loss of the policy must not change the surrogate.
    for parameter in surrogate.parameters { parameter.isTrainable = false }
    defer { for parameter in surrogate.parameters { parameter.isTrainable = true } }
    return surrogate(cleanStates, encoderHiddenStates: conditioning.text)
  }

  // MARK: Fitting

  func learn(
    _ batch: EpochBatch, _ table: ReplayTable, _ stored: StoredGroups, _ report: inout EpochReport
  ) throws -> Bool {
    let epoch = report.epoch
    if epoch == 0, !settings.offlineReplay.isEmpty { try fitOffline(&report) }
    let isFirstStage = epoch < settings.warmupEpochs
    // A group is read at most once per epoch.
    var known = Dictionary(uniqueKeysWithValues: batch.groups.map { ($0.number, $0) })
    let fetch = { (numbers: [Int]) throws -> [TrajectoryGroup] in
      for group in try stored(numbers.filter { known[$0] == nil }) { known[group.number] = group }
      return numbers.compactMap { known[$0] }
    }
    let held = table.rows.filter { isHeldOut($0.number) }
    // Measured on fresh groups before the surrogate is fitted to them.
    report.ofMethod["surrogate/accuracy_before"] = try accuracy(held, fetch)
    var random = policy.seed.fork("surrogate fits", epoch), rounds = 0
    var found: Double?
    repeat {
      try fit(
        PreferencePairs(table.rows.filter { !isHeldOut($0.number) }, threshold: settings.pairThreshold),
        steps: isFirstStage ? settings.warmupSteps : settings.steps, random: &random, fetch, &report)
      rounds += 1
      found = try accuracy(held, fetch)
    } while (found ?? 0) < Double(settings.minimumAccuracy) && rounds <= settings.refits
    report.ofMethod["surrogate/accuracy"] = found
    report.ofMethod["surrogate/fits"] = Double(rounds)
    let ranks = found.map { $0 >= Double(settings.minimumAccuracy) } ?? false
    report.ofMethod["surrogate/followed"] = ranks && !isFirstStage ? 1 : 0
    return ranks && !isFirstStage
  }

  /// Every n-th group is held out from fitting.
  private func isHeldOut(_ number: Int) -> Bool { number % settings.heldOutEvery == 0 }

  /// Stage 1, on scored trajectories of another run.
  private func fitOffline(_ report: inout EpochReport) throws {
    let archive = try openArchive(URL(filePath: settings.offlineReplay))
    var offline = ReplayTable()
    for number in archive.numbers {
      let group = try archive.group(number)
      let expected = policy.model.latentShape, found = Array(group.trajectories[0].states.shape.dropFirst())
      guard found == expected else {
        throw TrainingError(
          "\(settings.offlineReplay): group \(group.number): expected states \(expected), found \(found); set "
            + "lasro.offlineReplay to a replay of the same model")
      }
      offline.add(EpochBatch([group]).rows, oldest: .min)
    }
    var random = policy.seed.fork("surrogate offline")
    try fit(
      PreferencePairs(offline.rows, threshold: settings.pairThreshold), steps: settings.warmupSteps, random: &random,
      { try $0.map { try archive.group($0) } }, &report)
  }

  private func fit(
    _ pairs: PreferencePairs, steps: Int, random: inout RandomStream, _ fetch: ([Int]) throws -> [TrajectoryGroup],
    _ report: inout EpochReport
  ) throws {
    var losses: [Float] = []
    for _ in 0..<steps {
      let drawn = pairs.draw(settings.pairsPerStep, random: &random)
      if drawn.isEmpty { break }
      let (preferred, rejected) = try states(drawn, fetch)
      let conditioning = try policy.conditioning(drawn.map(\.preferred.prompt))
      let result = Tape.gradients { _ in
        let values = surrogate(
          Tensor.concatenated([preferred, rejected], axis: 0),
          encoderHiddenStates: Tensor.concatenated([conditioning.text, conditioning.text], axis: 0))
        let (loss, accuracy) = LaSRO.rankingLoss(
          preferred: values.slice(axis: 0, 0..<drawn.count),
          rejected: values.slice(axis: 0, drawn.count..<2 * drawn.count))
        return (loss, accuracy)
      }
      guard result.loss.item.isFinite else {
        throw TrainingError(
          "epoch \(report.epoch): expected a finite loss of the surrogate, found \(result.loss.item). Lower "
            + "lasro.learningRate and resume from the last checkpoint.")
      }
      optimizer.update(result.parameters.clipped(toNorm: 1, over: optimizer.parameters).0)
      losses.append(result.loss.item)
    }
    if !losses.isEmpty { report.ofMethod["surrogate/loss"] = Moments(losses).mean }
  }

  /// Share of held-out pairs that are ranked correctly; nil without pairs. Pairs of the newest epoch are used, and of
  /// older epochs if it has few.
  private func accuracy(
    _ held: [ReplayTable.Row], _ fetch: ([Int]) throws -> [TrajectoryGroup]
  ) throws -> Double? {
    var pairs: [PreferencePairs.Pair] = [], oldest = held.map(\.epoch).max() ?? 0
    let first = held.map(\.epoch).min() ?? 0
    repeat {
      pairs = PreferencePairs(held.filter { $0.epoch >= oldest }, threshold: settings.pairThreshold)
        .all(atMost: Self.mostHeldOut)
      oldest -= 1
    } while pairs.count < Self.leastHeldOut && oldest >= first
    guard !pairs.isEmpty else { return nil }
    var right: Float = 0
    for part in pairs.chunks(of: Self.evaluationBatch) {
      let (preferred, rejected) = try states(part, fetch)
      let conditioning = try policy.conditioning(part.map(\.preferred.prompt))
      let accuracy = Tape.withoutGradients {
        LaSRO.rankingLoss(
          preferred: surrogate(preferred, encoderHiddenStates: conditioning.text),
          rejected: surrogate(rejected, encoderHiddenStates: conditioning.text)
        ).accuracy
      }
      right += accuracy * Float(part.count)
    }
    return Double(right) / Double(pairs.count)
  }

  /// The last clean states of pairs, `[P, C, H, W]` each.
  private func states(
    _ pairs: [PreferencePairs.Pair], _ fetch: ([Int]) throws -> [TrajectoryGroup]
  ) throws -> (preferred: Tensor, rejected: Tensor) {
    let numbers = Set(pairs.flatMap { [$0.preferred.number, $0.rejected.number] }).sorted()
    let groups = Dictionary(uniqueKeysWithValues: try fetch(numbers).map { ($0.number, $0) })
    func final(_ row: ReplayTable.Row) throws -> Tensor {
      guard let trajectory = groups[row.number]?.trajectories[row.member] else {
        throw TrainingError("group \(row.number) is missing in the replay; resume the run from its last checkpoint")
      }
      return trajectory.cleanStates.slice(axis: 0, trajectory.stepCount - 1..<trajectory.stepCount)
    }
    return (
      Tensor.concatenated(try pairs.map { try final($0.preferred) }, axis: 0),
      Tensor.concatenated(try pairs.map { try final($0.rejected) }, axis: 0)
    )
  }

  // MARK: Checkpoints

  func state() throws -> Data { try JSONEncoder().encode(optimizer.step) }

  func restore(_ state: Data) throws { restoredStep = try JSONDecoder().decode(Int.self, from: state) }

  var tensors: [(name: String, value: Tensor)] {
    optimizer.parameters.map { ($0.name, $0.value) } + optimizer.namedMoments
  }

  func restore(tensors: SafetensorsFile) throws {
    let hint = "was lasro.trainsBackbone changed?"
    try optimizer.restoreParameters(from: tensors, hint: hint)
    try optimizer.restoreMoments(step: restoredStep, from: tensors, hint: hint)
  }
}
