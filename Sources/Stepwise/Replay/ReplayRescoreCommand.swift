// `stepwise replay rescore`: scores the stored clean states with other rewards and writes a new replay, which
// `stepwise-learner --offline` trains on. The old replay stays as it is.

import ArgumentParser
import Configuration
import Diffusion
import Engine
import Foundation
import Imaging
import Messages
import Models
import Replay
import Rewards
import Supervision

extension ReplayCommand {
  struct Rescore: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Score the stored clean states with other rewards, and write a new replay.",
      discussion: """
        The same steps are scored as before. Dense rewards are computed from the new scores as they were from the old \
        ones: by similarity of the clean states, or for the last step only where no other step was scored.
        """)

    @OptionGroup var place: Place
    @Option(help: "Model folder with the autoencoder that decodes the states.") var model: String
    @Option(
      parsing: .upToNextOption,
      help: "Rewards with weights, as aesthetic=1. Rewards: \(ScorerRegistry.names.joined(separator: ", ")).")
    var reward: [String]
    @OptionGroup var scorerOptions: ScorerModelOptions
    @Option(help: "Worker threads. (default: all cores)") var threads: Int?
    @Option(help: "Folder of the new replay; it must not exist.") var out: String

    func run() throws {
      let terms = try reward.map { try weight($0) }
      let weights = Dictionary(terms, uniquingKeysWith: { $1 })
      guard !weights.isEmpty, weights.count == terms.count else {
        throw CommandError("--reward: give at least one NAME=WEIGHT, and each name once")
      }
      try Compute.start(threads: threads)
      let store = try place.open()
      let target = URL(filePath: out)
      guard !FileManager.default.fileExists(atPath: target.path) else {
        throw CommandError("\(out) exists already; choose a new folder")
      }
      let scorer = try StateScorer(
        model: URL(filePath: model), weights: weights, settings: scorerOptions.settings())
      let written = try ReplayStore(
        folder: target, origin: store.storedOrigin,
        settings: ReplaySettings {
          $0.maximumTrajectories = .max
          $0.maximumBytes = .max
          $0.cacheBytes = 0
        })
      var unscored = 0
      for entry in store.entries {
        let group = try scorer.rescored(store.group(entry.number))
        try written.append(group, bytes: Message.group(group).encode())
        if !group.isScored { unscored += 1 }
        try written.maintain()
      }
      try written.seal()
      print("wrote \(out): \(written.count) groups, \(unscored) of them without all scores")
    }

    private func weight(_ text: String) throws -> (name: String, weight: Float) {
      let parts = text.split(separator: "=", omittingEmptySubsequences: false).map { String($0) }
      guard parts.count <= 2, let weight = parts.count == 2 ? Float(parts[1]) : 1, weight.isFinite, weight != 0 else {
        throw CommandError("--reward: expected NAME or NAME=WEIGHT with a weight other than 0, found \(text)")
      }
      return (parts[0], weight)
    }
  }
}

struct StateScorer {
  private let vae: AutoencoderKL
  private let scorers: [any Scorer]
  private let sum: RewardSum
  private let folder: URL

  /// - Parameter weights: of the rewards in their sum.
  /// - Throws: when the model or a reward's model cannot be loaded.
  init(model folder: URL, weights: [String: Float], settings: RewardSettings) throws {
    self.folder = folder
    vae = try AutoencoderKL(folder: folder.appending(path: "vae"))
    sum = RewardSum(weights)
    scorers = try sum.names.map { try ScorerRegistry.make($0, settings) }
  }

  /// The group with the new scores only, and dense rewards computed from them.
  ///
  /// - Throws: `CommandError` when the states do not fit the model.
  func rescored(_ group: TrajectoryGroup) throws -> TrajectoryGroup {
    var group = group
    for index in group.trajectories.indices {
      group.trajectories[index] = try rescored(group.trajectories[index], group.prompt)
    }
    return group
  }

  private func rescored(_ trajectory: Trajectory, _ prompt: String) throws -> Trajectory {
    var result = trajectory
    let scoring = TrajectoryScoring(
      cleanStates: trajectory.cleanStates, anchor: trajectory.anchorStep,
      scoredSteps: Set(trajectory.scores.map(\.step)))
    let steps = scoring.scoredSteps
    let images = try vae.pictures(ofStored: trajectory.cleanStates, steps: steps, model: folder.path)
    result.scores = []
    for scorer in scorers {
      let values = try scorer.scores(
        images: images.flatMap(\.pixels), height: images[0].height, width: images[0].width,
        prompts: [String](repeating: prompt, count: steps.count))
      for (step, value) in zip(steps, values) {
        let value = value.flatMap { $0.isFinite ? $0 : nil }
        result.scores.append(Score(step: step, reward: scorer.name, version: scorer.version, value: value))
      }
    }
    result.scores.sort { ($0.step, $0.reward) < ($1.step, $1.reward) }
    result.denseRewards = scoring.rewards(scores: sum.byStep(result.scores)) ?? []
    return result
  }
}

extension AutoencoderKL {
  /// Decodes the stored clean states of some steps.
  ///
  /// - Parameter model: the path of the model, for the error.
  /// - Throws: `CommandError` when the states do not fit the autoencoder.
  func pictures(ofStored cleanStates: Tensor, steps: [Int], model: String) throws -> [Image] {
    guard cleanStates.shape[1] == configuration.latentChannels else {
      throw CommandError(
        "\(model): the autoencoder has \(configuration.latentChannels) latent channels, but the stored states have "
          + "\(cleanStates.shape[1]); give the model that the states were sampled from")
    }
    let latents = Tensor.concatenated(steps.map { cleanStates.slice(axis: 0, $0..<$0 + 1) }, axis: 0)
    return Image.batch(Tape.withoutGradients { decode(latents / scalingFactor) }, range: .signed)
  }
}
