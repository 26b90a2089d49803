// Distills a model for many guided steps into one for a few steps without guidance.

import Diffusion
import Engine
import Foundation
import Layers
import Models

/// Consistency distillation (Song et al., arXiv 2303.01469; in latent space with guidance Luo et al., arXiv
/// 2310.04378): the student's clean state at a timestep must equal the clean state that its moving average predicts
/// after one guided step of the teacher, down to the data. The network keeps predicting velocity; its clean state
/// √ᾱ x - √(1-ᾱ) v needs no additional boundary condition.
struct ConsistencyDistillation {
  let student, teacher, target: UNet2DCondition
  let text: CLIPText
  let schedule: NoiseSchedule
  let latents: LatentTable
  let captions: [String]
  let tokenize: (String) throws -> [Int]
  /// Guidance scale of the teacher's steps.
  let guidance: Float

  /// Timesteps of the grid; divisible by 1, 2, 4 and 8 sampling steps.
  static let gridSteps = 16
  /// Decay of the moving average per step.
  static let targetDecay: Float = 0.95

  func train(_ schedule: TrainingSchedule, folder: URL, report: @escaping (TrainingProgress) -> Void) throws {
    let run = try TrainingRun(
      stage: "distill", parameters: student.parameters, companions: target.parameters, schedule: schedule,
      folder: folder, report: report)
    let grid = try self.schedule.timesteps(Self.gridSteps)
    let empty = try text([tokenize("")])
    try run.train { random in
      for (average, parameter) in zip(target.parameters, student.parameters) {
        average.value = average.value * Self.targetDecay + parameter.value * (1 - Self.targetDecay)
      }
      var random = random
      let indices = (0..<schedule.batchSize).map { _ in random.integer(below: captions.count) }
      let prompts = indices.map { PromptTemplates.draw(captions[$0], &random) }
      let places = indices.map { _ in random.integer(below: grid.count) }
      let hidden = try text(prompts.map(tokenize))
      return loss(latents.draw(indices, &random), hidden, empty, grid, places, &random)
    }
  }

  /// The mean of (x̂0 at t - x̂0 of the average at the teacher's next state)², weighted by 1 / (1-ᾱ + 0.05), because
  /// the two can only differ little near the data.
  private func loss(
    _ clean: Tensor, _ hidden: Tensor, _ empty: Tensor, _ grid: [Int], _ places: [Int], _ random: inout RandomStream
  ) -> Tensor {
    let timesteps = places.map { grid[$0] }
    let (a, b) = schedule.levels(timesteps)
    let noisy = a * clean + b * random.normal(clean.shape)
    let goal = Tape.withoutGradients { self.goal(noisy, hidden, empty, grid, places) }
    let velocity = student(noisy, timesteps: timesteps, encoderHiddenStates: hidden)
    let estimate = a * noisy - b * velocity
    let weight = 1 / (b.squared() + 0.05)
    return ((estimate - goal).squared() * weight).mean()
  }

  /// The clean state of the average after one guided step of the teacher; after the last step, the teacher's own.
  private func goal(_ noisy: Tensor, _ hidden: Tensor, _ empty: Tensor, _ grid: [Int], _ places: [Int]) -> Tensor {
    let n = noisy.shape[0]
    let timesteps = places.map { grid[$0] }
    let both = teacher(
      Tensor.concatenated([noisy, noisy], axis: 0), timesteps: timesteps + timesteps,
      encoderHiddenStates: Tensor.concatenated([hidden, empty + Tensor.zeros(hidden.shape)], axis: 0))
    let (conditional, unconditional) = (both.slice(axis: 0, 0..<n), both.slice(axis: 0, n..<2 * n))
    let velocity = unconditional + guidance * (conditional - unconditional)
    let (a, b) = schedule.levels(timesteps)
    let clean = a * noisy - b * velocity, noise = a * velocity + b * noisy
    let next = places.map { $0 + 1 < grid.count ? grid[$0 + 1] : 0 }
    let (nextA, nextB) = schedule.levels(next)
    let state = nextA * clean + nextB * noise
    let estimate = nextA * state - nextB * target(state, timesteps: next, encoderHiddenStates: hidden)
    let isLast = Tensor(places.map { $0 + 1 < grid.count ? 0 : 1 }, shape: [n, 1, 1, 1])
    return isLast * clean + (1 - isLast) * estimate
  }
}
