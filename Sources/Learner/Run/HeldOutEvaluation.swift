// Measures policies on prompts that they are not trained on. The noise of the pictures depends only on the run's seed,
// the prompt and the picture, so that all policies are measured in the same way. The run's reward servers score the
// pictures. If a score is missing, there is no measurement.

internal import Basics
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

/// Measures policies. Only the training thread may use it.
final class HeldOutEvaluation: HeldOutMeasure {
  private static let batchSize = 16

  private let prompts: [String]
  private let pictures: Int
  private let seed: UInt64
  private let sum: RewardSum
  private let client: ScoreClient
  private let stop: StopFlag
  private let logger: Logger

  /// Nil when the configuration has no held-out prompts or no pictures per prompt.
  ///
  /// - Parameter stop: ends a measurement.
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

  /// Measures the current policy; nil when a score is missing or the run is being stopped.
  ///
  /// - Throws: when a prompt is too long for the model, or a router refuses the learner.
  func measure(_ policy: TrainableModel) throws -> HeldOutScore? {
    let jobs = prompts.indices.flatMap { prompt in (0..<pictures).map { (prompt, $0) } }
    var values: [Double] = []
    for part in jobs.chunks(of: Self.batchSize) {
      if stop.isSet { return nil }
      let texts = part.map { prompts[$0.0] }
      let noise = part.map { PictureNoise(heldOut: seed, prompt: $0.0, picture: $0.1) }
      let images = try Tape.withoutGradients { try sampled(policy, texts, noise) }
      let results = try client.scores(of: .bytes(images), prompts: texts, rewards: sum.names)
      let sums = sum(results, count: texts.count).values.compactMap { $0.map(Double.init) }
      guard sums.count == texts.count else {
        let reason = results.map(\.error).first { !$0.isEmpty } ?? "a score is not finite"
        logger.warning(
          "held-out prompts: no measurement, because \(texts.count - sums.count) scores are missing: \(reason)")
        return nil
      }
      values += sums
    }
    let moments = Moments(values)
    return HeldOutScore(mean: moments.mean, standardError: moments.standardError, pictures: values.count)
  }

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
