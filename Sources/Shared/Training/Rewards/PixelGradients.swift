// Rewards with their gradients, as training sees them: from reward servers, or in a test from anywhere.

package import Engine

/// Scores pictures and differentiates the scores. Called from the training thread only.
package protocol PixelGradients: AnyObject {
  /// Scores pictures.
  ///
  /// - Parameters:
  ///   - pixels: RGB in 0...1, `[B, H, W, 3]`.
  ///   - prompts: one a picture.
  /// - Returns: scores, nil where one is missing, and d score / d pixel, `[B, H, W, 3]`, 0 where the score is missing.
  /// - Throws: when there can be none at all.
  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor)
}
