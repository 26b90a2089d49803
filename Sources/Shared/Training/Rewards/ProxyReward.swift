// A reward that is learned from scores, for rewards without a gradient (the online black-box setting of SQDF, arXiv
// 2512.04559). In every epoch the scores of its pictures become labels, the proxy is fitted to all labels, and the
// policy is trained with the gradient of the proxy.

internal import Algorithms
internal import Basics
internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Imaging
internal import Layers
internal import Messages
internal import Models

final class ProxyReward: DifferentiableReward {
  private let policy: TrainableModel
  private let settings: ProxySettings
  private let vision: CLIPVision
  private let preprocessing: CLIPPreprocessing
  private let heads: [ProxyNetwork]
  /// Embeddings of the labelled pictures, `[n, D]`, newest last.
  private var embeddings: Tensor
  private var labels: [Float] = []
  private var bonus: OptimismBonus?

  init(_ policy: TrainableModel, _ configuration: Configuration) throws {
    self.policy = policy
    settings = configuration.proxy
    let folder = URL(filePath: settings.embeddingModel)
    let file = folder.appending(path: "config.json")
    let isWhole = try ModelConfiguration(file: file).values["vision_config"] != nil
    vision = try isWhole ? CLIP(folder: folder).vision : CLIPVision(folder: folder)
    preprocessing = CLIPPreprocessing(size: vision.configuration.imageSize)
    let width = vision.configuration.projectionWidth
    heads = try (0..<(settings.optimism == .bootstrap ? settings.heads : 1)).map {
      try ProxyNetwork(inputs: width, name: "proxy.\($0)", random: policy.seed.fork("proxy", $0))
    }
    embeddings = Tensor.zeros([0, width])
  }

  // MARK: Fitting

  func learn(
    _ batch: EpochBatch, _ table: ReplayTable, _ stored: StoredGroups, _ report: inout EpochReport
  ) throws -> Bool {
    let new = Tensor.concatenated(
      batch.trajectories.map { trajectory in
        Tape.withoutGradients {
          embedding(trajectory.cleanStates.slice(axis: 0, trajectory.stepCount - 1..<trajectory.stepCount))
        }
      }, axis: 0)
    var noise = policy.seed.fork("labels", report.epoch)
    let disturbance = noise.normal([new.shape[0]]).values
    let rewards = batch.trajectories.compactMap(\.denseRewards.last)
    let found = zip(rewards, disturbance).map { $0 + settings.labelNoise * $1 }
    // The error on pictures that the proxy has not been fitted to.
    if !labels.isEmpty {
      let predicted = Tape.withoutGradients { heads[0](new) }.values
      let errors = zip(predicted, rewards).map { abs($0 - $1) }
      report.ofMethod["proxy/error"] = Moments(errors).mean
    }
    let first = max(0, labels.count + found.count - settings.capacity)
    labels = Array((labels + found)[first...])
    let all = Tensor.concatenated([embeddings, new], axis: 0)
    embeddings = all.slice(axis: 0, first..<all.shape[0])
    try fit(&report)
    return true
  }

  private func fit(_ report: inout EpochReport) throws {
    var random = policy.seed.fork("fit", report.epoch)
    for head in heads { for parameter in head.parameters { parameter.isTrainable = true } }
    defer { for head in heads { for parameter in head.parameters { parameter.isTrainable = false } } }
    let optimizer = AdamW(
      parameters: heads.flatMap(\.parameters), learningRate: settings.learningRate, weightDecay: 0)
    let samples = heads.map { _ in
      settings.optimism == .bootstrap
        ? labels.map { _ in random.integer(below: labels.count) } : Array(labels.indices)
    }
    var last = 0.0
    for _ in 0..<settings.passes {
      var losses: [Float] = []
      for places in random.permutation(labels.count).chunks(of: settings.batchSize) {
        let result = Tape.gradients { _ in
          let parts = zip(heads, samples).map { head, sample -> Tensor in
            let rows = places.map { sample[$0] }
            let expected = Tensor(rows.map { labels[$0] }, shape: [rows.count])
            return (head.fitted(embeddings.rows(rows), random: &random) - expected).squared().mean()
          }
          return (parts.reduce(Tensor(0)) { $0 + $1 } / Float(heads.count), ())
        }
        optimizer.update(result.parameters)
        losses.append(result.loss.item)
      }
      last = Moments(losses).mean
      guard last.isFinite else {
        throw TrainingError(
          "epoch \(report.epoch): expected a finite squared error of the proxy, found \(last). Lower "
            + "proxy.learningRate and resume from the last checkpoint.")
      }
    }
    report.ofMethod["proxy/loss"] = last
    report.ofMethod["proxy/labels"] = Double(labels.count)
    bonus = nil
  }

  // MARK: Scoring

  func scores(_ cleanStates: Tensor, prompts: [String], conditioning: Conditioning) throws -> Tensor {
    let seen = embedding(cleanStates)
    switch settings.optimism {
    case .bootstrap:
      let all = heads.map { $0(seen) }
      return all.dropFirst().reduce(all[0]) { Tensor.maximum($0, $1) }
    case .ucb: return heads[0](seen) + currentBonus()(heads[0].features(seen))
    case .none: return heads[0](seen)
    }
  }

  private func currentBonus() -> OptimismBonus {
    if let bonus { return bonus }
    let found = Tape.withoutGradients {
      OptimismBonus(
        explored: heads[0].features(embeddings), weight: settings.bonusWeight, ridge: settings.bonusRidge,
        clip: settings.bonusLimit)
    }
    bonus = found
    return found
  }

  /// Embeddings of length 1 of the pictures of clean states, `[B, D]`; differentiable.
  private func embedding(_ cleanStates: Tensor) -> Tensor {
    vision(preprocessing(pixels: policy.model.pixels(cleanStates))).unitLength
  }

  // MARK: Checkpoints

  func state() throws -> Data { try JSONEncoder().encode(labels) }

  func restore(_ state: Data) throws { labels = try JSONDecoder().decode([Float].self, from: state) }

  var tensors: [(name: String, value: Tensor)] {
    heads.flatMap(\.parameters).map { ($0.name, $0.value) } + [("proxy.embeddings", embeddings)]
  }

  func restore(tensors: SafetensorsFile) throws {
    let hint = "were the settings of proxy changed?"
    for parameter in heads.flatMap(\.parameters) {
      parameter.value = try tensors.tensor(parameter.name, shape: parameter.value.shape, hint: hint)
    }
    embeddings = try tensors.tensor(
      "proxy.embeddings", shape: [labels.count, vision.configuration.projectionWidth], hint: hint)
    bonus = nil
  }
}
