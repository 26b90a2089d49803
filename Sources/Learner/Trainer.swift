// One policy and what updates it. An epoch's update is a function of the state, the groups and the run's seed: the same
// three give the same weights to the bit.

internal import Algorithms
package import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
package import Messages
package import Models

/// The policy under training. Not Sendable: it belongs to the training thread.
package final class Trainer {
  let model: TextToImageModel
  let process: DDIM
  let optimizer: AdamW
  var algorithm: any Algorithm
  /// Epochs trained; the version of the policy that the weights now are.
  var version = 0
  /// Since the beginning of the run.
  var groupsTrained = 0, groupsUnscored = 0

  private let settings: Configuration.Training
  private let seed: RandomStream
  private var prompts: PromptStates
  private let groupSize: Int
  /// What groups must have been sampled with.
  let terms: SamplingTerms
  var learnedReward: LearnedReward

  /// Loads the model and gives it a new adapter that changes nothing yet.
  ///
  /// - Parameter loaded: the model, where it is in memory already; nil loads the configured one.
  /// - Throws: when the model cannot be loaded or the settings do not go together.
  package init(_ configuration: Configuration, model loaded: TextToImageModel? = nil) throws {
    settings = configuration.training
    seed = RandomStream(seed: configuration.run.seed)
    process = try configuration.samplingProcess()
    algorithm = try AlgorithmRegistry.make(settings.algorithm, configuration.algorithmOptions)
    groupSize = type(of: algorithm).groupSize
    let folder = URL(filePath: configuration.run.model)
    if loaded == nil {
      try TextToImageModel.requireMemory(
        folder: folder, trained: settings.gradientCheckpointing ? 0 : settings.minibatchSize * groupSize,
        advice: "Set training.gradientCheckpointing, or lower training.minibatchSize and raise training.accumulation.")
    }
    model = try loaded ?? TextToImageModel(folder: folder)
    model.unet.recomputesUnits = settings.gradientCheckpointing
    model.unet.addLoRA(rank: settings.loraRank, alpha: settings.loraAlpha, random: seed.fork("lora"))
    let guidanceScale = configuration.sampling.guidanceScale
    prompts = PromptStates(model: model, guidanceScale: guidanceScale)
    terms = SamplingTerms(
      process: process, guidanceScale: guidanceScale, groupSize: groupSize, shape: model.latentShape)
    learnedReward = try LearnedReward(configuration.reward)
    optimizer = AdamW(
      parameters: model.unet.loraParameters, learningRate: settings.learningRate, beta1: settings.beta1,
      beta2: settings.beta2, epsilon: settings.epsilon, weightDecay: settings.weightDecay)
  }

  /// The policy as it travels: a LoRA file's bytes, and its number of tensors.
  func policy() -> (bytes: [UInt8], tensorCount: Int) {
    (model.unet.loraWriter().encoded(), model.unet.loraParameters.count)
  }

  /// Trains on one epoch's groups; the next version is made even where no group could be used.
  ///
  /// - Throws: `TrainingError` when a group was sampled with other settings, or a gradient is not finite.
  @discardableResult
  package func train(_ received: [TrajectoryGroup]) throws -> EpochReport {
    let batch = try EpochBatch(learnedReward(received), terms)
    var report = EpochReport()
    report.ofRewards = batch.rewardMetrics
    report.epoch = version
    report.groups = batch.groups.count
    report.unscored = batch.unscored
    if !batch.groups.isEmpty { try update(batch, &report) }
    version += 1
    groupsTrained += batch.groups.count
    groupsUnscored += batch.unscored
    return report
  }

  private func update(_ batch: EpochBatch, _ report: inout EpochReport) throws {
    let advantages = algorithm.advantages(
      denseRewards: batch.trajectories.map(\.denseRewards), prompts: batch.prompts)
    report.describe(batch, advantages: advantages, version: version)
    report.freshRatioError = try freshRatioError(batch)
    var random = seed.fork("updates", version)
    let updates = stepShuffledUpdates(
      groups: batch.groups.count, steps: process.timesteps.count - (settings.finalStep ? 0 : 1),
      minibatch: settings.minibatchSize, accumulation: settings.accumulation, random: &random)
    for minibatches in updates {
      let count = minibatches.reduce(0) { $0 + $1.count }
      var gradients = Gradients()
      for entries in minibatches {
        let (part, metrics) = try minibatchGradients(entries, share: Float(entries.count) / Float(count), batch, advantages)
        gradients.add(part)
        report.losses.append(metrics)
      }
      let (clipped, norm) = gradients.clipped(toNorm: settings.maximumGradientNorm, over: optimizer.parameters)
      guard norm.isFinite else {
        throw TrainingError(
          "epoch \(version), update \(report.updates): the gradient's norm is \(norm); expected a finite number. Lower "
            + "training.learningRate and resume from the last checkpoint.")
      }
      optimizer.update(clipped)
      report.gradientNorms.append(norm)
      report.updates += 1
    }
  }

  /// Gradients of one minibatch's mean loss times its share of the optimiser step.
  private func minibatchGradients(
    _ entries: [GroupStep], share: Float, _ batch: EpochBatch, _ advantages: [[Float]]
  ) throws -> (Gradients, LossMetrics) {
    let conditioning = try prompts.conditioning(repeated(entries.map { batch.groups[$0.group].prompt }))
    let ofEntries = Tensor(
      (0..<groupSize).flatMap { member in
        entries.map { advantages[$0.group * groupSize + member][$0.step] }
      }, shape: [groupSize, entries.count])
    let result = Tape.gradients { _ in
      let terms = PolicyTerms(
        logProbabilities: logProbabilities(entries, batch, conditioning),
        behaviour: batch.behaviour(entries, groupSize: groupSize), advantages: ofEntries, steps: entries.map(\.step))
      let (loss, metrics) = algorithm.loss(terms)
      return (loss * share, metrics)
    }
    return (result.parameters, result.extra)
  }

  /// Log-probabilities of some groups' steps under the policy as it is, `[G, M]`. Trajectories that begin in one state
  /// share the first step's network output, and it is computed once.
  private func logProbabilities(_ entries: [GroupStep], _ batch: EpochBatch, _ conditioning: Conditioning) -> Tensor {
    let timesteps = repeated(entries.map { process.timesteps[$0.step] })
    let sample = batch.states(entries, offset: 0, groupSize: groupSize)
    let first = batch.firstAlike(entries, groupSize: groupSize)
    let rows = first.indices.filter { first[$0] == $0 }
    var places = [Int](repeating: 0, count: first.count)
    for (place, row) in rows.enumerated() { places[row] = place }
    let output = conditioning.rows(rows).output(
      of: denoise, sample: sample.rows(rows), timesteps: rows.map { timesteps[$0] }
    ).rows(first.map { places[$0] })
    return process.logProbability(
      of: batch.states(entries, offset: 1, groupSize: groupSize), output: output, sample: sample, timesteps: timesteps
    ).reshaped([groupSize, entries.count])
  }

  private func denoise(_ sample: Tensor, _ timesteps: [Int], _ text: Tensor) -> Tensor {
    model.unet(sample, timesteps: timesteps, encoderHiddenStates: text)
  }

  private func repeated<Element>(_ values: [Element]) -> [Element] {
    (0..<groupSize).flatMap { _ in values }
  }

  /// The largest |ratio - 1| of the first fresh group before any update, over every step: it is 0 when actor and learner
  /// compute alike. Nil without fresh groups.
  private func freshRatioError(_ batch: EpochBatch) throws -> Double? {
    let fresh = batch.groups.indices.filter { batch.groups[$0].policyVersion == version }.prefix(1)
    guard !fresh.isEmpty else { return nil }
    var worst = 0.0
    for step in process.timesteps.indices {
      let entries = fresh.map { GroupStep(group: $0, step: step) }
      let conditioning = try prompts.conditioning(repeated(entries.map { batch.groups[$0.group].prompt }))
      let ratios = Tape.withoutGradients {
        (logProbabilities(entries, batch, conditioning) - batch.behaviour(entries, groupSize: groupSize)).exp()
      }
      worst = ratios.values.reduce(worst) { max($0, abs(Double($1) - 1)) }
    }
    return worst
  }
}

extension EpochReport {
  /// What the groups say before any update.
  fileprivate mutating func describe(_ batch: EpochBatch, advantages: [[Float]], version: Int) {
    func moments(_ values: [Float]) -> (mean: Double, deviation: Double) {
      let count = Double(max(values.count, 1)), mean = values.reduce(0) { $0 + Double($1) } / count
      return (mean, (values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count).squareRoot())
    }
    let last = batch.trajectories.compactMap(\.denseRewards.last), lags = batch.groups.map { version - $0.policyVersion }
    (rewardMean, rewardDeviation) = moments(last)
    rewardError = rewardDeviation / Double(max(last.count, 1)).squareRoot()
    denseRewardMean = moments(batch.trajectories.flatMap(\.denseRewards)).mean
    advantageDeviation = moments(advantages.flatMap { $0 }).deviation
    lagMean = moments(lags.map(Float.init)).mean
    lagLargest = Double(lags.max() ?? 0)
  }
}
