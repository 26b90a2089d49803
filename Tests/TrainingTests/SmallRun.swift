// A run small enough for a test: the golden set's random model with a tokenizer of letters, and an intake that samples
// by itself what actors would.

import Configuration
import Diffusion
import Engine
import Fixtures
import Foundation
import Layers
import Learner
import Logging
import Messages
import Models
import Replay
import Testing
import Training

/// A temporary folder with a model and a run in it; removed with the value's last use by `remove`.
struct SmallRun {
  let folder: URL
  var configuration: Configuration

  init() throws {
    try Compute.start()
    folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-training-" + UUID().uuidString)
    let model = try TinyModel.make(in: folder)
    configuration = Configuration()
    configuration.run.folder = folder.appending(path: "run").path
    configuration.run.model = model.path
    configuration.sampling.steps = 2
    configuration.sampling.groupsPerEpoch = 6
    configuration.sampling.prompts = ["cat", "dog"]
    configuration.training.epochs = 4
    configuration.training.learningRate = 1e-3
    configuration.training.minibatchSize = 2
    configuration.training.accumulation = 2
    configuration.training.statisticsMinimumCount = 4
    configuration.training.statisticsBufferSize = 8
    configuration.sampling.batchSize = 4
    configuration.checkpoint.every = 2
  }

  var runFolder: URL { URL(filePath: configuration.run.folder) }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  /// Trains from where the run's folder is to the configured end.
  @discardableResult
  func train(
    gradients: (any PixelGradients)? = nil, log: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    _ change: (SamplingIntake) -> Void = { _ in }
  ) throws -> SamplingIntake {
    let loop = try TrainingWorker(
      configuration, log: log, sources: TrainingSources(gradients: gradients) { try StoredGroupArchive($0) })
    let intake = try SamplingIntake(configuration)
    change(intake)
    try loop.run(intake)
    return intake
  }
}

/// Samples an epoch's groups from the published policy, as an actor would, with a network of its own.
final class SamplingIntake: TrainingIntake {
  private let configuration: Configuration
  private let model: TextToImageModel
  private let sampler: DualStateSampler
  /// Policies as they were published, in order.
  private(set) var published: [(version: Int, bytes: [UInt8])] = []
  /// Scores of the last clean states of every epoch given out.
  private(set) var rewards: [[Float]] = []
  /// Changes groups before they are handed over.
  var change: ([TrajectoryGroup]) -> [TrajectoryGroup] = { $0 }
  /// Says stop before this epoch.
  var stopsBefore: Int?
  /// Says stop when training has asked so often: once a minibatch, and once an optimiser step.
  var stopsAtQuestion: Int?
  private(set) var questions = 0
  /// Where an epoch's groups branch.
  var branchStep: (Int) -> Int = { _ in 0 }
  /// Every group given out, by number.
  var given: [Int: TrajectoryGroup] = [:]

  init(_ configuration: Configuration) throws {
    self.configuration = configuration
    model = try TextToImageModel(folder: URL(filePath: configuration.run.model))
    sampler = try DualStateSampler(
      DDIM(
        schedule: NoiseSchedule(folder: model.folder), steps: configuration.sampling.steps,
        eta: configuration.sampling.eta))
  }

  func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {
    let file = try SafetensorsFile(bytes: bytes, name: "policy \(version)")
    check(file.names.count == tensorCount, "\(file.names.count) tensors, \(tensorCount) were promised")
    try model.unet.loadLoRA(file)
    published.append((version, bytes))
  }

  var isStopping: Bool {
    questions += 1
    return stopsAtQuestion.map { questions >= $0 } ?? false
  }

  func groups(ofEpoch epoch: Int) throws -> [TrajectoryGroup]? {
    if epoch == stopsBefore { return nil }
    let groups = try sample(epoch)
    rewards.append(groups.flatMap { $0.trajectories.map { $0.denseRewards.last! } })
    let changed = change(groups)
    for group in changed { given[group.number] = group }
    return changed
  }

  /// Sends every group over the wire and through a replay before it is handed over.
  func passThrough(_ store: ReplayStore) {
    change = { groups in
      do {
        for group in groups {
          let bytes = Message.group(group).encode()
          guard case .group(let decoded) = try Message(decoding: bytes, from: "test") else { return [] }
          try store.append(decoded, bytes: bytes)
        }
        // Half of the epochs come from the journal, half from a sealed segment.
        if groups[0].epoch % 2 == 0 { try store.seal() } else { try store.commit() }
        return try groups.map { try store.group($0.number) }
      } catch {
        Issue.record(error)
        return []
      }
    }
  }

  /// As from a replay: groups given out before.
  func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    try numbers.map { number in
      guard let group = given[number] else { throw TrainingError("group \(number) was never given out") }
      return group
    }
  }

  /// Scores of an epoch's last clean states, sampled with the policy now in force.
  func rewards(ofEpoch epoch: Int) throws -> [Float] {
    try sample(epoch).flatMap { $0.trajectories.map { $0.denseRewards.last! } }
  }

  private func sample(_ epoch: Int) throws -> [TrajectoryGroup] {
    let count = configuration.sampling.groupsPerEpoch, prompts = configuration.sampling.prompts
    let numbers = Array(epoch * count..<(epoch + 1) * count)
    let texts = numbers.map { prompts[$0 % prompts.count] }
    let scale = configuration.sampling.guidanceScale
    let size = configuration.sampling.groupSize
    let states = sampler.sample(
      groups: numbers.map { GroupNoise(seed: configuration.run.seed, number: $0) }, groupSize: size,
      branchStep: branchStep(epoch), shape: model.latentShape,
      conditioning: Conditioning(
        text: try model.encode(texts), empty: scale > 1 ? try model.encode([""]) : nil, scale: scale),
      batchSize: configuration.sampling.batchSize,
      denoiser: { [model] in model.unet($0, timesteps: $1, encoderHiddenStates: $2) })
    let trajectories = (0..<states.count).map { trajectory(states, $0) }
    return numbers.enumerated().map { index, number in
      TrajectoryGroup(
        runID: "test", number: number, epoch: epoch, actor: "test", incarnation: 1,
        policyVersion: published.last?.version ?? 0, prompt: texts[index], seed: configuration.run.seed,
        timesteps: sampler.process.timesteps, eta: configuration.sampling.eta, guidanceScale: scale,
        trajectories: Array(trajectories[size * index..<size * (index + 1)]))
    }
  }

  /// The reward: the mean of a clean state's first channel.
  private func trajectory(_ states: DualStates, _ index: Int) -> Trajectory {
    func row(_ tensor: Tensor) -> Tensor {
      tensor.slice(axis: 0, index..<index + 1).reshaped(Array(tensor.shape.dropFirst()))
    }
    let clean = row(states.cleanStates)
    let scoring: TrajectoryScoring =
      configuration.training.algorithm == .sdpo
      ? .dense(LatentSimilarity(cleanStates: clean)) : .final(steps: configuration.sampling.steps)
    let scores = Dictionary(
      uniqueKeysWithValues: scoring.scoredSteps.map { step in
        (step, clean.slice(axis: 0, step..<step + 1).slice(axis: 1, 0..<1).mean().item)
      })
    return Trajectory(
      states: row(states.states), cleanStates: clean, logProbabilities: row(states.logProbabilities).values,
      scores: scores.sorted { $0.key < $1.key }.map { Score(step: $0, reward: "channel", version: "1", value: $1) },
      denseRewards: scoring.rewards(scores: scores)!, anchorStep: scoring.anchor)
  }
}
