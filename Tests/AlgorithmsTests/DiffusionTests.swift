// Diffusion at its edges; that its numbers are diffusers' is GoldenTests' part.

import Diffusion
import Engine
import Foundation
import Testing

@Suite("Diffusion")
struct DiffusionTests {
  init() throws { try Compute.start() }

  private func process(steps: Int, eta: Float = 1, _ change: (inout NoiseSchedule.Configuration) -> Void = { _ in })
    throws -> DDIM
  {
    var configuration = NoiseSchedule.Configuration()
    configuration.spacing = .trailing
    change(&configuration)
    return try DDIM(schedule: NoiseSchedule(configuration), steps: steps, eta: eta)
  }

  /// A network of one line, so that trajectories can be followed by hand.
  private let denoiser: Denoiser = { sample, timesteps, text in
    let scale = Tensor(timesteps.map { 1 / Float($0 + 1) }, shape: [timesteps.count, 1, 1, 1])
    return sample * scale + text.mean(axes: [1, 2]).reshaped([-1, 1, 1, 1])
  }

  @Test("The published sigmas of 50 steps, and timesteps that overlap by one")
  func publishedNumbers() throws {
    let trailing = try process(steps: 50), leading = try process(steps: 50) { $0.spacing = .leading }
    func sigmas(_ process: DDIM) -> [Float] { process.timesteps.map { process.sigma(at: $0) } }
    #expect(abs(sigmas(leading)[0] - 0.454463) < 1e-6 && abs(sigmas(leading)[49] - 0.020648) < 1e-6)
    #expect(abs(sigmas(trailing)[0] - 0.459991) < 1e-6 && abs(sigmas(trailing)[49] - 0.028461) < 1e-6)
    let three = try process(steps: 3)
    #expect(three.timesteps == [999, 666, 332])
    #expect(three.schedule.previous(of: 666, steps: 3) == 333)
  }

  @Test("Steps without noise are refused before anything is sampled")
  func noiseless() throws {
    #expect(throws: ScheduleError.self) { try DualStateSampler(process(steps: 4, eta: 0)) }
    #expect(throws: ScheduleError.self) {
      try DualStateSampler(
        process(steps: 4) {
          $0.spacing = .leading
          $0.stepsOffset = 0
        })
    }
    #expect(throws: ScheduleError.self) { try process(steps: 0) }
    #expect(throws: ScheduleError.self) { try process(steps: 1001) }
    #expect(throws: ScheduleError.self) { try process(steps: 4, eta: 1.5) }
  }

  @Test("Recomputed log-probabilities of fresh steps are those of sampling, to the bit")
  func freshRatio() throws {
    let process = try process(steps: 4), sampler = try DualStateSampler(process)
    let text = Tensor([0.1, -0.2], shape: [2, 1, 1])
    let found = sampler.sample(
      groups: [3, 8].map { GroupNoise(seed: 1, number: $0) }, groupSize: 2, shape: [4, 2, 2],
      conditioning: Conditioning(text: text), denoiser: denoiser)
    #expect(found.states.shape == [4, 5, 4, 2, 2])
    let prompts = text.rows([0, 0, 1, 1])
    for (step, timestep) in process.timesteps.enumerated() {
      let timesteps = [Int](repeating: timestep, count: 4)
      func state(_ step: Int) -> Tensor { found.states.slice(axis: 1, step..<step + 1).reshaped([4, 4, 2, 2]) }
      let again = process.logProbability(
        of: state(step + 1), output: denoiser(state(step), timesteps, prompts), sample: state(step),
        timesteps: timesteps)
      #expect(again.values == found.logProbabilities.slice(axis: 1, step..<step + 1).values)
    }
  }

  @Test("A group shares its beginning, differs afterwards, and does not depend on its batch")
  func groups() throws {
    let sampler = try DualStateSampler(process(steps: 2))
    func sample(_ numbers: [Int]) -> [[Float]] {
      let text = Tensor(numbers.map { Float($0) / 10 }, shape: [numbers.count, 1, 1])
      let found = sampler.sample(
        groups: numbers.map { GroupNoise(seed: 7, number: $0) }, groupSize: 2, shape: [4, 2, 2],
        conditioning: Conditioning(text: text), denoiser: denoiser)
      return (0..<found.count).map { found.states.slice(axis: 0, $0..<$0 + 1).values }
    }
    let together = sample([5, 6, 7]), alone = sample([6])
    #expect(Array(together[2...3]) == alone)
    #expect(alone[0].prefix(16) == alone[1].prefix(16))
    #expect(alone[0].suffix(16) != alone[1].suffix(16))
    #expect(together[0].prefix(16) != together[2].prefix(16))
  }

  @Test("What a group shares is computed once: the network's first output")
  func sharedBeginning() throws {
    let sampler = try DualStateSampler(process(steps: 3))
    var asked: [Int] = []
    let found = sampler.sample(
      groups: [1, 2].map { GroupNoise(seed: 7, number: $0) }, groupSize: 2, shape: [4, 2, 2],
      conditioning: Conditioning(text: Tensor([0.1, 0.2], shape: [2, 1, 1]))
    ) { sample, timesteps, text in
      asked.append(sample.shape[0])
      return denoiser(sample, timesteps, text)
    }
    #expect(asked == [2, 4, 4])
    func clean(_ row: Int) -> [Float] { found.cleanStates.slice(axis: 0, row..<row + 1).values }
    #expect(clean(0).prefix(16) == clean(1).prefix(16))
    #expect(clean(0).suffix(32) != clean(1).suffix(32))
  }

  @Test("Guidance above 1 moves away from the empty prompt, and at 1 the empty prompt is never asked")
  func guidance() {
    let sample = Tensor.zeros([1, 1, 1, 1]), text = Tensor([2], shape: [1, 1, 1]), empty = Tensor([1], shape: [1, 1, 1])
    func output(_ scale: Float) -> Float {
      Conditioning(text: text, empty: empty, scale: scale).output(of: denoiser, sample: sample, timesteps: [9]).item
    }
    #expect(output(1) == 2)
    #expect(output(3) == 1 + 3 * (2 - 1))
    #expect(Conditioning(text: text).output(of: denoiser, sample: sample, timesteps: [9]).item == 2)
  }

  @Test("One step scores one state, two score two, and scores overwrite what was interpolated")
  func denseRewards() {
    let one = LatentSimilarity(cleanStates: Tensor([1, 2], shape: [1, 2, 1, 1]))
    #expect(one.scoredSteps == [0])
    #expect(one.denseRewards(scores: [0: 5]) == [5])
    let two = LatentSimilarity(cleanStates: Tensor([1, 0, 0, 1], shape: [2, 2, 1, 1]))
    #expect(two.scoredSteps == [0, 1])
    #expect(two.denseRewards(scores: [0: 1, 1: 3]) == [1, 3])
    // Step 2 is least like both ends: the anchor. Step 1 equals step 0.
    let four = LatentSimilarity(cleanStates: Tensor([1, 0, 1, 0, 0, 1, 1, 0], shape: [4, 2, 1, 1]))
    #expect(four.anchor == 2)
    #expect(four.scoredSteps == [0, 2, 3])
    #expect(four.denseRewards(scores: [0: 1, 2: 7, 3: 3]) == [1, 2, 7, 3])
    #expect(four.denseRewards(scores: [0: 1, 3: 3]) == nil)
  }

  @Test("A scheduler file that asks for what is not supported is refused by the key's name")
  func schedulerFile() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(
      at: folder.appending(path: "scheduler"), withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (json, word) in [
      (#"{"clip_sample": true}"#, "clip_sample"), (#"{"beta_schedule": "squaredcos_cap_v2"}"#, "beta_schedule"),
      (#"{"trained_betas": [0.1]}"#, "trained_betas"), (#"{"num_train_timesteps": 0}"#, "timesteps"), ("[]", "configuration"),
    ] {
      try Data(json.utf8).write(to: folder.appending(path: "scheduler/scheduler_config.json"))
      let error = #expect(throws: ScheduleError.self) { try NoiseSchedule(folder: folder) }
      #expect(error?.description.contains(word) == true)
    }
    try Data(#"{"prediction_type": "v_prediction", "timestep_spacing": "trailing"}"#.utf8)
      .write(to: folder.appending(path: "scheduler/scheduler_config.json"))
    let schedule = try NoiseSchedule(folder: folder)
    #expect(schedule.configuration.prediction == .velocity && schedule.configuration.betaSchedule == .linear)
  }
}
