// The interface of a reward: pictures and prompts in, one number per picture out. A new reward is a file and a line in
// `ScorerRegistry`.

package import Engine
internal import Imaging

package struct ScorerError: Error, CustomStringConvertible, Equatable {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// Scores pictures. A scorer belongs to the thread that made it.
package protocol Scorer {
  /// The name in configurations and trajectories, such as `jpeg-compressibility`.
  var name: String { get }
  /// Changes whenever the same picture could get a different score.
  var version: String { get }

  /// One score per picture; nil where a picture could not be scored.
  ///
  /// - Parameters:
  ///   - images: N pictures of `height` x `width` RGB bytes, row by row.
  ///   - prompts: N texts.
  /// - Throws: `ScorerError` when the sizes do not fit or nothing can be scored.
  func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?]
}

/// A scorer whose score has a gradient with respect to the pixels.
package protocol DifferentiableScorer: Scorer {
  /// Differentiable scores `[n]`; each depends only on its own picture.
  ///
  /// Nothing is rounded to 8 bits and pictures are resized bilinearly, so a score may differ in its third digit from
  /// that of the bytes of the same picture.
  ///
  /// - Parameter pixels: float RGB in 0...1, `[n, height, width, 3]`.
  func scores(pixels: Tensor, prompts: [String]) throws -> Tensor
}

extension DifferentiableScorer {
  /// Scores, and d score / d pixel, `[n, height, width, 3]`.
  package func scoresAndGradient(pixels: Tensor, prompts: [String]) throws -> (scores: [Float], gradient: Tensor) {
    let result = try Tape.gradients(of: [pixels]) { inputs in
      let scores = try scores(pixels: inputs[0], prompts: prompts)
      // Each score depends on its own picture only, so the sum's gradient is every score's own.
      return (scores.sum(), scores.values)
    }
    return (result.extra, result.inputs[0])
  }

  /// Checks that there is one prompt per picture.
  func requirePrompts(_ prompts: [String], for pixels: Tensor) throws {
    guard pixels.rank == 4, pixels.shape[3] == 3, pixels.shape[0] == prompts.count else {
      throw ScorerError(
        "\(name): expected pixels [\(prompts.count), height, width, 3], one picture per prompt, found \(pixels.shape)")
    }
  }
}

extension Scorer {
  /// Whether gradients with respect to pixels are available.
  package var hasGradient: Bool { self is any DifferentiableScorer }

  /// Splits bytes into `count` pictures of this size.
  func pictures(_ images: [UInt8], height: Int, width: Int, count: Int) throws -> [Image] {
    let (row, overflowRow) = width.multipliedReportingOverflow(by: 3)
    let (size, overflow) = row.multipliedReportingOverflow(by: height)
    let (total, overflowTotal) = size.multipliedReportingOverflow(by: count)
    guard height > 0, width > 0, !overflowRow, !overflow, !overflowTotal, total == images.count else {
      throw ScorerError(
        "\(name): expected \(count) pictures of \(height) x \(width) x 3 bytes, one per prompt, found \(images.count) "
          + "bytes")
    }
    return (0..<count).map { Image(width: width, height: height, pixels: Array(images[$0 * size..<($0 + 1) * size])) }
  }
}
