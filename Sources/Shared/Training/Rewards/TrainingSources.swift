// Inputs of training in addition to its groups: gradients of rewards, and stored groups of another run. Training does
// not depend on reward servers or on the files of the replay.

package import Engine
package import Foundation
package import Messages

/// Scores pictures and differentiates the scores. Called on the training thread only.
package protocol PixelGradients: AnyObject {
  /// - Parameters:
  ///   - pixels: RGB in 0...1, `[B, H, W, 3]`.
  ///   - prompts: one per picture.
  /// - Returns: scores, nil where one is missing, and d score / d pixel, `[B, H, W, 3]`, 0 where the score is missing.
  /// - Throws: when no picture can be scored.
  func scores(of pixels: Tensor, prompts: [String]) throws -> (values: [Float?], gradient: Tensor)
}

package protocol GroupArchive {
  /// Numbers of all stored groups, in ascending order.
  var numbers: [Int] { get }

  /// - Throws: an error that names the file when the group cannot be read.
  func group(_ number: Int) throws -> TrajectoryGroup
}

package typealias OpenArchive = (_ folder: URL) throws -> any GroupArchive

package struct TrainingSources {
  /// Nil when no reward server computes gradients.
  package var gradients: (any PixelGradients)?
  package var openArchive: OpenArchive

  package init(gradients: (any PixelGradients)? = nil, openArchive: @escaping OpenArchive) {
    self.gradients = gradients
    self.openArchive = openArchive
  }

  package static var none: TrainingSources { TrainingSources { folder in
    throw TrainingError("\(folder.path): this program cannot read stored groups")
  } }
}
