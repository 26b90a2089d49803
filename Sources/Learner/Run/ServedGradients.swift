// The weighted sum of rewards with its gradient, from reward servers.

internal import Configuration
internal import Engine
internal import Messages
internal import RewardClient
internal import Training
internal import Transport

final class ServedGradients: PixelGradients {
  private let client: ScoreClient
  private let sum: RewardSum

  /// Connects, and waits until all rewards are offered with a gradient.
  ///
  /// - Throws: `ScoreClientError` naming a reward that is not.
  init(_ context: Context, _ configuration: Configuration) throws {
    sum = RewardSum(configuration.reward.weights)
    client = try ScoreClient(context, configuration.network, name: "learner")
    try client.requireRewards(sum.names, gradient: true)
  }

  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor) {
    let results = try client.scores(of: .pixels(pixels), prompts: prompts, rewards: sum.names)
    let (values, gradient) = sum(results, count: prompts.count)
    return (values, gradient ?? Tensor.zeros(pixels.shape))
  }
}
