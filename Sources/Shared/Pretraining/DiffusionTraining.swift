// Training of the denoiser together with its text encoder, on latents.

import Diffusion
import Engine
import Foundation
import Layers
import Models

/// Velocity prediction (Salimans and Ho, arXiv 2202.00512), with dropout of the prompt for classifier-free guidance.
struct DiffusionTraining {
  let unet: UNet2DCondition
  let text: CLIPText
  let schedule: NoiseSchedule
  let latents: LatentTable
  let captions: [String]
  let tokenize: (String) throws -> [Int]

  static let dropout: Float = 0.1

  func train(_ schedule: TrainingSchedule, folder: URL, report: @escaping (TrainingProgress) -> Void) throws {
    let run = try TrainingRun(
      stage: "unet", parameters: unet.parameters + text.parameters, schedule: schedule, folder: folder, report: report)
    try run.train { random in
      var random = random
      let indices = (0..<schedule.batchSize).map { _ in random.integer(below: captions.count) }
      let prompts = indices.map {
        random.uniform() < Self.dropout ? "" : PromptTemplates.draw(captions[$0], &random)
      }
      return try loss(latents.draw(indices, &random), prompts, &random)
    }
  }

  /// Mean of (v - v̂)², v = √ᾱ noise - √(1-ᾱ) x0, at uniform timesteps.
  func loss(_ clean: Tensor, _ prompts: [String], _ random: inout RandomStream) throws -> Tensor {
    let n = clean.shape[0]
    let timesteps = (0..<n).map { _ in random.integer(below: schedule.configuration.trainingTimesteps) }
    let noise = random.normal(clean.shape)
    let (a, b) = schedule.levels(timesteps)
    let predicted = unet(
      a * clean + b * noise, timesteps: timesteps, encoderHiddenStates: text(try prompts.map(tokenize)))
    return (a * noise - b * clean - predicted).squared().mean()
  }
}

extension NoiseSchedule {
  /// √ᾱ and √(1-ᾱ) of timesteps, `[n, 1, 1, 1]` each.
  func levels(_ timesteps: [Int]) -> (signal: Tensor, noise: Tensor) {
    let shape = [timesteps.count, 1, 1, 1]
    return (
      Tensor(timesteps.map { cumulativeAlphas[$0].squareRoot() }, shape: shape),
      Tensor(timesteps.map { (1 - cumulativeAlphas[$0]).squareRoot() }, shape: shape)
    )
  }
}
