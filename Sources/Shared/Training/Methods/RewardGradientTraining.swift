// Trains with the gradient of a reward: the trajectories of an epoch are added to the table of the replay, starting
// states are drawn from it, and the objective of the method is differentiated.

internal import Algorithms
internal import Basics
internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Messages
internal import Models

final class RewardGradientTraining: TrainingMethod {
  private struct State: Codable {
    var table: ReplayTable
    var ofReward: Data
  }

  private let policy: TrainableModel
  private let algorithm: any RewardGradientAlgorithm
  private let reward: any DifferentiableReward
  private let settings: GradientSettings
  private let models: RolloutModels
  private var table = ReplayTable()

  /// - Throws: when the consistency model cannot be loaded or does not fit the policy.
  init(
    _ policy: TrainableModel, _ algorithm: any RewardGradientAlgorithm, _ reward: any DifferentiableReward,
    _ configuration: Configuration
  ) throws {
    self.policy = policy
    self.algorithm = algorithm
    self.reward = reward
    settings = configuration.gradient
    let frozen = try UNet2DCondition(sharingWeightsOf: policy.model.unet)
    frozen.usesGradientCheckpointing = policy.settings.gradientCheckpointing
    models = RolloutModels(
      process: policy.process, policy: policy.denoise,
      reference: { frozen($0, timesteps: $1, encoderHiddenStates: $2) },
      consistency: try Self.consistency(configuration, policy),
      reward: { [reward] in try reward.scores($0, prompts: $1, conditioning: $2) })
  }

  private static func consistency(
    _ configuration: Configuration, _ policy: TrainableModel
  ) throws -> (lcm: LCM, denoiser: Denoiser)? {
    guard configuration.training.algorithm == .sqdf, configuration.gradient.estimate == .consistency else {
      return nil
    }
    let named = URL(filePath: configuration.gradient.consistencyModel), inner = named.appending(path: "unet")
    let folder = FileManager.default.fileExists(atPath: inner.path) ? inner : named
    let unet = try UNet2DCondition(folder: folder)
    let (found, expected) = (unet.configuration, policy.model.unet.configuration)
    guard found.inChannels == expected.inChannels, found.crossAttentionWidth == expected.crossAttentionWidth else {
      throw TrainingError(
        "\(folder.path): expected a consistency model with \(expected.inChannels) latent channels and text states of "
          + "width \(expected.crossAttentionWidth), found \(found.inChannels) and \(found.crossAttentionWidth); "
          + "correct gradient.consistencyModel")
    }
    let lcm = try LCM(schedule: policy.process.schedule, steps: policy.process.timesteps.count)
    return (lcm, { unet($0, timesteps: $1, encoderHiddenStates: $2) })
  }

  var name: String { algorithm.name.rawValue }

  func state() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try encoder.encode(State(table: table, ofReward: try reward.state()))
  }

  func restore(_ state: Data) throws {
    let found = try JSONDecoder().decode(State.self, from: state)
    table = found.table
    try reward.restore(found.ofReward)
  }

  var tensors: [(name: String, value: Tensor)] { reward.tensors }
  func restore(tensors: SafetensorsFile) throws { try reward.restore(tensors: tensors) }

  func train(_ batch: EpochBatch, _ stored: StoredGroups, _ report: inout EpochReport) throws {
    let epoch = report.epoch
    report.freshRatioError = try policy.freshRatioError(batch, version: epoch)
    table.add(batch.rows, oldest: epoch - settings.replayEpochs + 1)
    guard try reward.learn(batch, table, stored, &report) else { return }
    var random = policy.seed.fork("draws", epoch)
    let count = max(1, Int((settings.replayRatio * Float(batch.trajectories.count)).rounded()))
    let draws = try table.draw(
      count, algorithm.sampling, steps: algorithm.startSteps, discount: algorithm.discount, random: &random)
    report.units = draws.count
    let groups = try Self.groups(Set(draws.map(\.number)), batch, stored)
    let minibatches = draws.chunks(of: policy.settings.minibatchSize), asked = reward.queries
    var metrics: [ObjectiveMetrics] = []
    for update in minibatches.chunks(of: policy.settings.accumulation) {
      let total = update.reduce(0) { $0 + $1.count }
      var gradients = Gradients()
      for entries in update {
        let share = Float(entries.count) / Float(total)
        let (part, found) = try objectiveGradients(
          try rollout(entries, groups), share: share, random: policy.seed.fork("rollout", epoch, metrics.count))
        gradients.add(part)
        metrics.append(found)
      }
      // Without any score there is no gradient, and the optimizer must not move by its momentum alone.
      if !gradients.isEmpty { try policy.update(gradients, &report) }
    }
    report.queries += reward.queries - asked
    report.describe(metrics)
  }

  /// Groups by number; those of earlier epochs are read from the replay.
  private static func groups(
    _ numbers: Set<Int>, _ batch: EpochBatch, _ stored: StoredGroups
  ) throws -> [Int: TrajectoryGroup] {
    var known = Dictionary(uniqueKeysWithValues: batch.groups.map { ($0.number, $0) })
    for group in try stored(numbers.subtracting(known.keys).sorted()) { known[group.number] = group }
    return known
  }

  private func rollout(_ draws: [ReplayDraw], _ groups: [Int: TrajectoryGroup]) throws -> Rollout {
    func rows(_ states: KeyPath<Trajectory, Tensor>) throws -> Tensor {
      Tensor.concatenated(
        try draws.map { draw in
          guard let group = groups[draw.number], group.trajectories.indices.contains(draw.member) else {
            throw TrainingError(
              "trajectory \(draw.member) of group \(draw.number) is missing in the replay; resume the run from its "
                + "last checkpoint")
          }
          return group.trajectories[draw.member][keyPath: states].slice(axis: 0, draw.step..<draw.step + 1)
        }, axis: 0)
    }
    let prompts = draws.map { groups[$0.number]?.prompt ?? "" }
    return Rollout(
      states: try rows(\.states), cleanStates: try rows(\.cleanStates), steps: draws.map(\.step), prompts: prompts,
      conditioning: try policy.conditioning(prompts))
  }

  /// Gradients of the objective of one minibatch, times its share of the update.
  private func objectiveGradients(
    _ rollout: Rollout, share: Float, random: RandomStream
  ) throws -> (Gradients, ObjectiveMetrics) {
    var choices = random.fork("choices"), numbers = random.fork("noise")
    let result = try Tape.gradients { _ in
      let (loss, metrics) = try algorithm.objective(
        rollout, models, noise: { numbers.normal($0) }, random: &choices)
      return (loss * share, metrics)
    }
    return (result.parameters, result.extra)
  }
}

extension EpochBatch {
  /// The trajectories of the epoch as rows of the replay table; their reward is that of the last clean state.
  var rows: [ReplayTable.Row] {
    groups.flatMap { group in
      group.trajectories.enumerated().compactMap { member, trajectory in
        trajectory.denseRewards.last.map {
          ReplayTable.Row(
            number: group.number, member: member, epoch: group.epoch, prompt: group.prompt, reward: $0)
        }
      }
    }
  }
}

extension EpochReport {
  fileprivate mutating func describe(_ metrics: [ObjectiveMetrics]) {
    let rewards = metrics.flatMap(\.rewards), divergences = metrics.flatMap(\.divergences)
    ofMethod["gradient/loss"] = Moments(metrics.map(\.loss)).mean
    if !rewards.isEmpty { ofMethod["gradient/reward"] = Moments(rewards).mean }
    if !divergences.isEmpty { ofMethod["gradient/divergence"] = Moments(divergences).mean }
    ofMethod["gradient/missing"] = Double(metrics.reduce(0) { $0 + $1.missing })
    ofMethod["gradient/masked"] = Double(metrics.reduce(0) { $0 + $1.masked })
  }
}
