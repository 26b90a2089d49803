// Training of the autoencoder, from pictures to latents and back.

import Engine
import Foundation
import Layers
import Models

/// Trains with an L1 error, a squared error for the colours of large areas, differences of gradients for sharp edges
/// without an adversary, and a small KL term.
struct AutoencoderTraining {
  let model: AutoencoderKL
  let pictures: VariedPictures

  static let klWeight: Float = 1e-6
  static let squaredWeight: Float = 3

  func train(_ schedule: TrainingSchedule, folder: URL, report: @escaping (TrainingProgress) -> Void) throws {
    let run = try TrainingRun(
      stage: "vae", parameters: model.parameters, schedule: schedule, folder: folder, report: report)
    try run.train { random in
      var random = random
      let indices = (0..<schedule.batchSize).map { _ in random.integer(below: pictures.count) }
      return loss(pictures.batch(indices, .autoencoder, &random), &random)
    }
  }

  /// Mean of |x - y| + 3 (x - y)² + |∇x - ∇y|, plus 1e-6 KL(q(z|x) || N(0, 1)) per picture.
  func loss(_ images: Tensor, _ random: inout RandomStream) -> Tensor {
    let (mean, logVariance) = model.encode(images)
    let latents = mean + (logVariance * 0.5).exp() * random.normal(mean.shape)
    let difference = model.decode(latents) - images
    let kl = 0.5 * (mean.squared() + logVariance.exp() - 1 - logVariance).sum() / Float(images.shape[0])
    let fidelity = difference.abs().mean() + difference.squared().mean() * Self.squaredWeight
    return fidelity + step(difference, axis: 2).abs().mean() + step(difference, axis: 3).abs().mean()
      + kl * Self.klWeight
  }

  /// Differences of neighbours along an axis.
  private func step(_ x: Tensor, axis: Int) -> Tensor {
    x.slice(axis: axis, 1..<x.shape[axis]) - x.slice(axis: axis, 0..<x.shape[axis] - 1)
  }
}
