// A run that is small enough for a test: a random model with a tokenizer of letters, and an intake that samples the
// groups itself instead of actors.

import Algorithms
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
import Telemetry
import Testing
import Training

/// A temporary folder with a model and a run; call `remove` at the end.
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

  func metrics() throws -> [MetricsRecord] { try MetricsRecord.read(runFolder.appending(path: "metrics.jsonl")) }

  /// The files of the newest checkpoint, in the order of their names.
  func checkpoint() throws -> [Data] {
    let folder = runFolder.appending(path: "checkpoints/latest")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
      try Data(contentsOf: folder.appending(path: $0))
    }
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  /// Trains from the newest checkpoint, if there is one, to the last epoch.
  @discardableResult
  func train(
    gradients: (any PixelGradients)? = nil, log: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    _ change: (SamplingIntake) throws -> Void = { _ in }
  ) throws -> SamplingIntake {
    let worker = try TrainingWorker(
      configuration, log: log, sources: TrainingSources(gradients: gradients) { try StoredGroupArchive($0) })
    let intake = try SamplingIntake(configuration)
    try change(intake)
    try worker.run(intake)
    return intake
  }
}

/// Samples the groups of an epoch from the published policy with a second network, as an actor does.
final class SamplingIntake: TrainingIntake {
  private let configuration: Configuration
  private let model: TextToImageModel
  private let sampler: DualStateSampler
  private(set) var published: [(version: Int, bytes: [UInt8])] = []
  /// Scores of the last clean states of each delivered epoch.
  private(set) var rewards: [[Float]] = []
  /// Changes groups before they are delivered.
  var change: ([TrajectoryGroup]) -> [TrajectoryGroup] = { $0 }
  var stopsBefore: Int?
  /// Stops the run when `isStopping` is read for this time; it is read once per minibatch and once per update.
  var stopsAtQuestion: Int?
  private(set) var questions = 0
  /// The step at which the groups of an epoch branch.
  var branchStep: (Int) -> Int
  /// All delivered groups, by number.
  var given: [Int: TrajectoryGroup] = [:]

  init(_ configuration: Configuration) throws {
    self.configuration = configuration
    model = try TextToImageModel(folder: URL(filePath: configuration.run.model))
    let algorithm = try configuration.algorithm()
    branchStep = { algorithm.branchStep(ofEpoch: $0) }
    sampler = try DualStateSampler(
      DDIM(
        schedule: NoiseSchedule(folder: model.folder), steps: configuration.sampling.steps,
        eta: configuration.sampling.eta))
  }

  func publish(version: Int, bytes: [UInt8], tensorCount: Int) throws {
    let file = try SafetensorsFile(bytes: bytes, name: "policy \(version)")
    #expect(file.names.count == tensorCount)
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

  /// Encodes, decodes and stores every group before it is delivered.
  func passThrough(_ folder: URL) throws {
    let store = try ReplayStore(
      folder: folder, origin: ReplayOrigin(runID: "test", modelHash: "hash", configuration: ""))
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

  /// Delivered groups, instead of a replay.
  func stored(_ numbers: [Int]) throws -> [TrajectoryGroup] {
    try numbers.map { number in
      guard let group = given[number] else { throw TrainingError("group \(number) was not delivered") }
      return group
    }
  }

  /// Scores of the last clean states of an epoch, sampled with the current policy.
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

  /// The reward is the mean of the first channel of a clean state.
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
