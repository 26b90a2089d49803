// Rewards with their gradients, as training sees them: from reward servers, or in a test from anywhere.

internal import Configuration
public import Engine
internal import Messages
internal import Scoring
internal import Transport

/// Scores pictures and differentiates the scores. Called from the training thread only.
public protocol PixelGradients: AnyObject {
  /// Scores pictures.
  ///
  /// - Parameters:
  ///   - pixels: RGB in 0...1, `[B, H, W, 3]`.
  ///   - prompts: one a picture.
  /// - Returns: scores, nil where one is missing, and d score / d pixel, `[B, H, W, 3]`, 0 where the score is missing.
  /// - Throws: when there can be none at all.
  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor)
}

/// The weighted sum of rewards, from reward servers.
final class ServedGradients: PixelGradients {
  private let client: ScoreClient
  private let sum: RewardSum

  /// Connects, and waits until all rewards are offered with a gradient.
  ///
  /// - Throws: `ScoringError` naming the reward that is not.
  init(_ context: Context, _ configuration: Configuration) throws {
    sum = RewardSum(configuration.reward.weights)
    client = try ScoreClient(context, ScoreClientOptions(configuration, name: "learner"))
    try client.requireRewards(sum.names, gradient: true)
  }

  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor) {
    let results = try client.scores(of: .pixels(pixels), prompts: prompts, rewards: sum.names)
    let (values, gradient) = sum(results, count: prompts.count)
    return (values, gradient ?? Tensor.zeros(pixels.shape))
  }
}
