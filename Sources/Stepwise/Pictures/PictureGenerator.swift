// Pictures of a policy: the last state of the sampler, decoded, as in the pipelines of diffusers.

import ArgumentParser
import Diffusion
import Engine
import Foundation
import Imaging
import Layers
import Models
import Supervision

struct SamplingSettings: Codable, Equatable {
  enum Scheduler: String, Codable, CaseIterable, ExpressibleByArgument {
    case ddim, lcm
  }

  var steps = 4
  /// Guidance is used above 1.
  var guidance: Float = 1
  /// Noise of DDIM, 0...1.
  var eta: Float = 1
  var scheduler = Scheduler.ddim
  /// Timestep spacing of DDIM; nil for that of the model.
  var spacing: NoiseSchedule.Spacing?
}

final class PictureGenerator {
  let model: TextToImageModel
  let settings: SamplingSettings
  private let process: Process
  private let empty: Tensor?

  private enum Process {
    case ddim(DDIM)
    case lcm(LCM)
  }

  init(_ model: TextToImageModel, lora: URL?, settings: SamplingSettings) throws {
    self.model = model
    self.settings = settings
    let schedule = try NoiseSchedule(folder: model.folder, spacing: settings.spacing)
    switch settings.scheduler {
    case .ddim: process = .ddim(try DDIM(schedule: schedule, steps: settings.steps, eta: settings.eta))
    case .lcm: process = .lcm(try LCM(schedule: schedule, steps: settings.steps))
    }
    empty = settings.guidance > 1 ? try model.encode([""]) : nil
    try load(lora: lora)
  }

  /// Replaces the adapter; nil removes it.
  ///
  /// - Throws: an error naming the file when it does not fit the model.
  func load(lora: URL?) throws {
    if let lora { try model.unet.loadLoRA(SafetensorsFile(lora)) } else { model.unet.removeLoRA() }
  }

  /// At most 16 samples at a time and, beyond one, 4 of 64 x 64 positions, so that memory stays bounded.
  private var batchSize: Int { max(1, min(16, 16384 / (model.latentShape[1] * model.latentShape[2]))) }

  /// One picture per prompt and decoder; all decoders decode the same final states.
  ///
  /// - Parameters:
  ///   - initial: the noisiest states, `[n, C, h, w]`; nil takes them from `noise`.
  ///   - divergence: receives every step; from `divergence()`.
  ///   - done: receives the number of pictures that are ready.
  /// - Returns: a list of pictures for each of `decoders`.
  /// - Throws: when a prompt has too many tokens; nothing has been sampled then.
  func pictures(
    _ prompts: [String], noise: [PictureNoise], initial: Tensor? = nil, by decoders: [any LatentDecoder],
    divergence: PolicyDivergence? = nil, done: (Int) -> Void = { _ in }
  ) throws -> [[Image]] {
    check(noise.count == prompts.count, "pictures: \(noise.count) streams for \(prompts.count) prompts")
    for prompt in Set(prompts) { _ = try model.tokenizer.encode(prompt) }
    let initial = initial ?? noise.initial(model.latentShape)
    var pictures = [[Image]](repeating: [], count: decoders.count)
    for first in stride(from: 0, to: prompts.count, by: batchSize) {
      let part = first..<min(first + batchSize, prompts.count)
      try Tape.withoutGradients {
        let text = try model.encode(Array(prompts[part]))
        let latents = sampled(
          initial.slice(axis: 0, part), Conditioning(text: text, empty: empty, scale: settings.guidance),
          noise[part], divergence)
        for (place, decoder) in decoders.enumerated() {
          pictures[place] += Image.batch(decoder.pictures(ofScaled: latents), range: .signed)
        }
      }
      done(part.upperBound)
    }
    return pictures
  }

  /// Compares the steps of this generator with those of the model without the adapter.
  ///
  /// - Throws: `CommandError` where the steps have no noise, and therefore no density.
  func divergence() throws -> PolicyDivergence {
    guard case .ddim(let ddim) = process, ddim.eta > 0 else {
      throw CommandError(
        "--divergence needs the sampler ddim with eta above 0, found \(settings.scheduler) with eta \(settings.eta)")
    }
    return try PolicyDivergence(model, ddim)
  }

  private func sampled(
    _ initial: Tensor, _ conditioning: Conditioning, _ noise: ArraySlice<PictureNoise>, _ divergence: PolicyDivergence?
  ) -> Tensor {
    let shape = Array(initial.shape.dropFirst())
    let denoiser: Denoiser = { [model] in model.unet($0, timesteps: $1, encoderHiddenStates: $2) }
    switch process {
    case .ddim(let ddim):
      return ddim.sample(initial: initial, conditioning: conditioning, denoiser: denoiser) {
        noise.step($0, shape)
      } record: { index, state, step, conditioning in
        divergence?.add(step: index, from: state, mean: step.mean, conditioning)
      }
    case .lcm(let lcm):
      return lcm.sample(initial: initial, conditioning: conditioning, denoiser: denoiser) { noise.step($0, shape) }
    }
  }
}
