// How good a policy is on prompts it is not trained on: pictures from noise that depends on the run's seed, prompt and
// picture alone, so that all policies are measured alike, scored by the run's reward servers. A missing score leaves
// the measurement out: missing is not zero.

internal import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Imaging
internal import Logging
internal import Messages
internal import Models
internal import RewardClient
internal import Training
internal import Threads
internal import Transport

/// Measures policies. Belongs to the training thread.
final class HeldOutEvaluation: HeldOutMeasure {
  private static let batchSize = 16

  private let prompts: [String]
  private let pictures: Int
  private let seed: UInt64
  private let sum: RewardSum
  private let client: ScoreClient
  private let stop: StopFlag
  private let logger: Logger

  /// Prepares to measure; nil where the configuration names no held-out prompts, or wants no pictures of them.
  ///
  /// - Parameter stop: gives measuring up.
  /// - Throws: `ConfigurationError` when the prompts cannot be read, `TransportError` for a malformed endpoint.
  init?(_ context: Context, _ configuration: Configuration, stop: StopFlag, logger: Logger) throws {
    pictures = configuration.checkpoint.heldOutPictures
    guard pictures > 0, !configuration.evaluation.prompts.isEmpty || !configuration.evaluation.promptsFile.isEmpty
    else { return nil }
    prompts = try configuration.evaluationPrompts()
    seed = configuration.run.seed
    sum = RewardSum(configuration.reward.weights)
    client = try ScoreClient(context, configuration.network, name: "learner", stop: stop)
    self.stop = stop
    self.logger = logger
  }

  /// Measures the policy as it is; nil when a score is missing, or the run is being stopped.
  ///
  /// - Throws: when a prompt is too long for the model, or a router refuses the learner.
  func measure(_ policy: TrainableModel) throws -> HeldOutScore? {
    let jobs = prompts.indices.flatMap { prompt in (0..<pictures).map { (prompt, $0) } }
    var values: [Double] = []
    for start in stride(from: 0, to: jobs.count, by: Self.batchSize) {
      if stop.isSet { return nil }
      let part = Array(jobs[start..<min(start + Self.batchSize, jobs.count)])
      let texts = part.map { prompts[$0.0] }
      let noise = part.map { PictureNoise(heldOut: seed, prompt: $0.0, picture: $0.1) }
      let images = try Tape.withoutGradients { try sampled(policy, texts, noise) }
      let results = try client.scores(of: .bytes(images), prompts: texts, rewards: sum.names)
      let sums = sum(results, count: texts.count).values.compactMap { $0.map(Double.init) }
      guard sums.count == texts.count else {
        let reason = results.map(\.error).first { !$0.isEmpty } ?? "a score is not finite"
        logger.warning(
          "held-out prompts: \(texts.count - sums.count) scores are missing, so this policy is not measured: \(reason)")
        return nil
      }
      values += sums
    }
    let count = Double(values.count), mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(count - 1, 1)
    return HeldOutScore(mean: mean, standardError: (variance / count).squareRoot(), pictures: values.count)
  }

  /// One picture a prompt, as the policy's user would see it.
  private func sampled(_ policy: TrainableModel, _ texts: [String], _ noise: [PictureNoise]) throws -> ImageBatch {
    let shape = policy.model.latentShape
    let state = policy.process.sample(
      initial: noise.initial(shape), conditioning: try policy.conditioning(texts), denoiser: policy.denoise
    ) { noise.step($0, shape) }
    let images = Image.batch(policy.model.decode(state), range: .signed)
    return ImageBatch(
      count: images.count, height: images[0].height, width: images[0].width, pixels: images.flatMap(\.pixels))
  }
}
