// Edge cases of diffusion. GoldenTests compares its numbers with those of diffusers.

import Diffusion
import Engine
import Foundation
import Testing

@Suite struct DiffusionTests {
  init() throws { try Compute.start() }

  private func process(steps: Int, eta: Float = 1, _ change: (inout NoiseSchedule.Configuration) -> Void = { _ in })
    throws -> DDIM
  {
    var configuration = NoiseSchedule.Configuration()
    configuration.spacing = .trailing
    change(&configuration)
    return try DDIM(schedule: NoiseSchedule(configuration), steps: steps, eta: eta)
  }

  /// A network of one line.
  private let denoiser: Denoiser = { sample, timesteps, text in
    let scale = Tensor(timesteps.map { 1 / Float($0 + 1) }, shape: [timesteps.count, 1, 1, 1])
    return sample * scale + text.mean(axes: [1, 2]).reshaped([-1, 1, 1, 1])
  }

  @Test func `sigmas and timesteps of 50 steps are the published ones`() throws {
    let trailing = try process(steps: 50), leading = try process(steps: 50) { $0.spacing = .leading }
    func sigmas(_ process: DDIM) -> [Float] { process.timesteps.map { process.sigma(at: $0) } }
    #expect(abs(sigmas(leading)[0] - 0.454463) < 1e-6 && abs(sigmas(leading)[49] - 0.020648) < 1e-6)
    #expect(abs(sigmas(trailing)[0] - 0.459991) < 1e-6 && abs(sigmas(trailing)[49] - 0.028461) < 1e-6)
    let three = try process(steps: 3)
    #expect(three.timesteps == [999, 666, 332])
    #expect(three.schedule.previous(of: 666, steps: 3) == 333)
  }

  @Test func `steps without noise are refused before anything is sampled`() throws {
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

  @Test func `recomputed log-probabilities of fresh steps equal those of sampling to the bit`() throws {
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

  @Test func `branches share all states up to their step to the bit, and differ after it`() throws {
    let sampler = try DualStateSampler(process(steps: 4))
    let found = sampler.sample(
      groups: [3, 8].map { GroupNoise(seed: 1, number: $0) }, groupSize: 3, branchStep: 2, shape: [4, 2, 2],
      conditioning: Conditioning(text: Tensor([0.1, -0.2], shape: [2, 1, 1])), denoiser: denoiser)
    #expect(found.states.shape == [6, 5, 4, 2, 2] && found.logProbabilities.shape == [6, 4])
    func values(_ tensor: Tensor, _ trajectory: Int, _ step: Int) -> [Float] {
      tensor.slice(axis: 0, trajectory..<trajectory + 1).slice(axis: 1, step..<step + 1).values
    }
    for first in [0, 3] {
      for step in 0..<4 {
        #expect((values(found.states, first, step) == values(found.states, first + 1, step)) == (step <= 2))
        // Predictions and log-probabilities follow from the states.
        #expect((values(found.cleanStates, first, step) == values(found.cleanStates, first + 2, step)) == (step <= 2))
        let logProbability = values(found.logProbabilities, first, step)
        #expect((logProbability == values(found.logProbabilities, first + 1, step)) == (step < 2))
      }
    }
    #expect(values(found.states, 0, 2) != values(found.states, 3, 2))
  }

  @Test func `a group shares its beginning, differs after it, and does not depend on its batch`() throws {
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

  @Test func `the network's first output is computed once per group`() throws {
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

  @Test func `guidance above 1 moves away from the empty prompt, and guidance 1 does not evaluate it`() {
    let sample = Tensor.zeros([1, 1, 1, 1])
    let text = Tensor([2], shape: [1, 1, 1]), empty = Tensor([1], shape: [1, 1, 1])
    func output(_ scale: Float) -> Float {
      Conditioning(text: text, empty: empty, scale: scale).output(of: denoiser, sample: sample, timesteps: [9]).item
    }
    #expect(output(1) == 2)
    #expect(output(3) == 1 + 3 * (2 - 1))
    #expect(Conditioning(text: text).output(of: denoiser, sample: sample, timesteps: [9]).item == 2)
  }

  @Test func `one step has one score, two have two, and scores overwrite interpolated rewards`() {
    let one = LatentSimilarity(cleanStates: Tensor([1, 2], shape: [1, 2, 1, 1]))
    #expect(one.scoredSteps == [0])
    #expect(TrajectoryScoring.dense(one).rewards(scores: [0: 5]) == [5])
    let two = LatentSimilarity(cleanStates: Tensor([1, 0, 0, 1], shape: [2, 2, 1, 1]))
    #expect(two.scoredSteps == [0, 1])
    #expect(TrajectoryScoring.dense(two).rewards(scores: [0: 1, 1: 3]) == [1, 3])
    // Step 2 is the least similar to both ends, so it is the anchor. Step 1 equals step 0.
    let four = LatentSimilarity(cleanStates: Tensor([1, 0, 1, 0, 0, 1, 1, 0], shape: [4, 2, 1, 1]))
    #expect(four.anchor == 2)
    #expect(four.scoredSteps == [0, 2, 3])
    #expect(TrajectoryScoring.dense(four).rewards(scores: [0: 1, 2: 7, 3: 3]) == [1, 2, 7, 3])
    #expect(TrajectoryScoring.dense(four).rewards(scores: [0: 1, 3: 3]) == nil)
    #expect(TrajectoryScoring.dense(four).rewards(scores: [0: 1, 2: .infinity, 3: 3]) == nil)
  }

  @Test func `the kind of scoring follows from the steps that have scores`() {
    let states = Tensor([1, 0, 1, 1, 0, 1, 1, 0], shape: [4, 2, 1, 1])
    let final = TrajectoryScoring(cleanStates: states, anchor: 3, scoredSteps: [3])
    #expect(final.rewards(scores: [3: 5]) == [0, 0, 0, 5])
    #expect(final.rewards(scores: [0: 5]) == nil && final.rewards(scores: [3: .nan]) == nil)
    let dense = TrajectoryScoring(cleanStates: states, anchor: 1, scoredSteps: [0, 1, 3])
    #expect(dense.scoredSteps == [0, 1, 3] && dense.anchor == 1)
    #expect(dense.rewards(scores: [0: 1, 1: 7, 3: 3])?[1] == 7)
  }

  @Test func `a scheduler file with an unsupported setting is refused by the name of the key`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(
      at: folder.appending(path: "scheduler"), withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (json, word) in [
      (#"{"clip_sample": true}"#, "clip_sample"), (#"{"beta_schedule": "squaredcos_cap_v2"}"#, "beta_schedule"),
      (#"{"trained_betas": [0.1]}"#, "trained_betas"), (#"{"num_train_timesteps": 0}"#, "timesteps"),
      ("[]", "JSON object"),
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
