// Methods that follow a reward's gradient, on a network of one number: their gradients are those of finite differences,
// and their draws those that they say.

import Algorithms
import Diffusion
import Engine
import Settings
import Testing

@Suite("Reward-gradient methods")
struct RewardGradientTests {
  init() throws { try Compute.start() }

  private static let shape = [3, 2, 2, 2]

  private func options(_ change: (inout MethodSettings) -> Void = { _ in }) -> MethodSettings {
    var options = MethodSettings()
    options.sampling.steps = 4
    options.training.discount = 0.9
    options.gradient.divergenceWeight = 0.1
    options.gradient.masksNonPositive = false
    change(&options)
    return options
  }

  /// Objective and derivative of a method under the policy `weight * sample`.
  private func objective(
    _ method: any RewardGradientAlgorithm, weight: Float, step: Int, reward: @escaping (Tensor) -> Tensor
  ) throws -> (loss: Float, derivative: Float, metrics: ObjectiveMetrics) {
    let parameter = Parameter(name: "weight", value: Tensor(weight), isTrainable: true)
    let process = try DDIM(schedule: NoiseSchedule(NoiseSchedule.Configuration()), steps: 4, eta: 1)
    let lcm = try LCM(schedule: process.schedule, steps: 4)
    let models = RolloutModels(
      process: process, policy: { x, _, _ in parameter.tensor * x }, reference: { x, _, _ in 0.3 * x },
      consistency: (lcm, { x, _, _ in 0.2 * x }), reward: { clean, _, _ in reward(clean) })
    var random = RandomStream(seed: 3), choices = RandomStream(seed: 4)
    let rollout = Rollout(
      states: random.normal(Self.shape), cleanStates: random.normal(Self.shape), steps: [step, step, step],
      prompts: ["a", "b", "c"], conditioning: Conditioning(text: Tensor.zeros([3, 1, 1])))
    let result = try Tape.gradients { _ in
      try method.objective(rollout, models, noise: { random.normal($0) }, random: &choices)
    }
    return (result.loss.item, result.parameters[parameter]?.item ?? 0, result.extra)
  }

  private func reward(_ clean: Tensor) -> Tensor { (clean.clamped(-3, 3) + 1).squared().mean(axes: [1, 2, 3]) }

  @Test(
    "The derivative is that of finite differences",
    arguments: ["sqdf", "sqdf-consistency", "sqdf-n-step", "draft-k", "draft-kl", "draft-lv", "refl", "lasro"])
  func derivative(_ name: String) throws {
    let registered = try #require(MethodName(rawValue: name.hasPrefix("sqdf") ? "sqdf" : name))
    let chosen = options {
      if name == "sqdf-consistency" {
        $0.gradient.estimate = .consistency
        $0.gradient.consistencyModel = "given"
      }
      if name == "sqdf-n-step" {
        $0.gradient.estimate = .nStep
        $0.gradient.estimateSteps = 2
      }
      $0.gradient.differentiatedSteps = 2
      $0.gradient.lastSteps = 3
      $0.training.algorithm = registered
    }
    let method = try #require(try AlgorithmRegistry.make(chosen) as? any RewardGradientAlgorithm)
    for step in method.startSteps {
      let found = try objective(method, weight: 0.4, step: step, reward: reward)
      let width: Float = 2e-3
      let above = try objective(method, weight: 0.4 + width, step: step, reward: reward).loss
      let below = try objective(method, weight: 0.4 - width, step: step, reward: reward).loss
      let expected = (above - below) / (2 * width)
      #expect(
        abs(found.derivative - expected) <= 2e-2 * max(abs(expected), 0.05),
        "\(name) from step \(step): \(found.derivative), expected \(expected)")
      #expect(found.metrics.rewards.count >= 3 && found.metrics.loss == found.loss)
    }
  }

  @Test("A missing score takes part neither in the mean nor in the gradient, and what is masked adds nothing")
  func missingAndMasked() throws {
    let method = SQDF(options { $0.gradient.masksNonPositive = true })
    let whole = try objective(method, weight: 0.4, step: 1) { clean in
      (clean * 0).mean(axes: [1, 2, 3]) + Tensor([1, 2, 3], shape: [3])
    }
    #expect(whole.metrics.missing == 0 && whole.metrics.masked == 0)
    let partial = try objective(method, weight: 0.4, step: 1) { clean in
      (clean * 0).mean(axes: [1, 2, 3]) + Tensor([1, .nan, -3], shape: [3])
    }
    #expect(partial.metrics.missing == 1 && partial.metrics.masked == 1)
    #expect(partial.metrics.rewards == [1, -3] && partial.derivative.isFinite)
    let none = try objective(method, weight: 0.4, step: 1) { clean in
      (clean * 0).mean(axes: [1, 2, 3]) + Tensor([.nan, .nan, .nan], shape: [3])
    }
    #expect(none.loss == 0 && none.derivative == 0 && none.metrics.missing == 3)
  }

  @Test("Before training the divergence is zero for the reference's own weight, and grows away from it")
  func divergence() throws {
    let method = SQDF(options())
    #expect(try objective(method, weight: 0.3, step: 0, reward: reward).metrics.divergences == [0, 0, 0])
    let near = try objective(method, weight: 0.4, step: 0, reward: reward).metrics.divergences[0]
    let far = try objective(method, weight: 0.5, step: 0, reward: reward).metrics.divergences[0]
    #expect(near > 0 && abs(far / near - 4) < 1e-2)
  }

  @Test("Where no step is left the state itself is the estimate")
  func lastStep() throws {
    let process = try DDIM(schedule: NoiseSchedule(NoiseSchedule.Configuration()), steps: 4, eta: 1)
    let models = RolloutModels(
      process: process, policy: { x, _, _ in x }, reference: { x, _, _ in 0.5 * x }, consistency: nil,
      reward: { clean, _, _ in clean.mean(axes: [1, 2, 3]) })
    var random = RandomStream(seed: 5)
    let states = random.normal(Self.shape), conditioning = Conditioning(text: Tensor.zeros([3, 1, 1]))
    for estimate in [CleanEstimate.oneStep, .nStep] {
      let settings = GradientSettings {
        $0.estimate = estimate
        $0.estimateSteps = 3
      }
      let found = models.cleanEstimate(settings, states, steps: [4, 2, 4], conditioning: conditioning)
      let alone = models.cleanEstimate(settings, states.rows([1]), steps: [2], conditioning: conditioning.rows([1]))
      #expect(found.rows([0, 2]).values == states.rows([0, 2]).values)
      #expect(found.rows([1]).values == alone.values)
      #expect(alone.values != states.rows([1]).values)
    }
  }

  @Test("What a method cannot work with is refused by the key's name")
  func refusals() {
    func refused(_ name: MethodName, _ key: String, _ change: (inout MethodSettings) -> Void) {
      var changed = options(change)
      changed.training.algorithm = name
      #expect { try AlgorithmRegistry.make(changed) } throws: { "\($0)".contains(key) }
    }
    refused(.draftK, "gradient.differentiatedSteps") { $0.gradient.differentiatedSteps = 5 }
    refused(.draftKL, "gradient.divergenceWeight") { $0.gradient.divergenceWeight = 0 }
    refused(.draftLV, "gradient.noiseSamples") { $0.gradient.noiseSamples = 0 }
    refused(.refl, "gradient.lastSteps") { $0.gradient.lastSteps = 0 }
    refused(.sqdf, "gradient.estimateSteps") { $0.gradient.estimateSteps = 0 }
    refused(.sqdf, "gradient.divergenceWeight") { $0.gradient.divergenceWeight = -1 }
    refused(.lasro, "sampling.groupSize") { $0.sampling.groupSize = 1 }
  }
}

@Suite("Draws from the replay")
struct ReplaySamplingTests {
  private func table() -> ReplayTable {
    var table = ReplayTable()
    for epoch in 0..<3 {
      table.add(
        (0..<4).map {
          ReplayTable.Row(
            number: 4 * epoch + $0, member: 0, epoch: epoch, prompt: "cat", reward: Float((7 * (4 * epoch + $0)) % 12))
        }, oldest: 0)
    }
    return table
  }

  private func draw(_ sampling: ReplaySampling, _ count: Int, seed: UInt64 = 1) throws -> [ReplayDraw] {
    var random = RandomStream(seed: seed)
    var table = table()
    return try table.draw(count, sampling, steps: 1..<3, discount: 0.5, random: &random)
  }

  @Test("Every manner draws whom it says, among the steps it is given")
  func manners() throws {
    for sampling in ReplaySampling.allCases {
      let found = try draw(sampling, 6)
      #expect(found.count == 6 && found.allSatisfy { (1..<3).contains($0.step) })
      #expect(try draw(sampling, 6) == found)
      #expect(try draw(sampling, 6, seed: 2) != found)
    }
    #expect(Set(try draw(.uniform, 12).map(\.number)).count == 12)
    #expect(Set(try draw(.onPolicy, 4).map(\.number)) == [8, 9, 10, 11])
    #expect(Set(try draw(.onPolicy, 6).map(\.number)).isSuperset(of: [8, 9, 10, 11]))
    // Rewards 7n mod 12: the highest are those of 5 (11), 10 (10) and 3 (9).
    #expect(Set(try draw(.reward, 3).map(\.number)) == [5, 10, 3])
    let mixed = try draw(.onPolicyRandom, 7).map(\.number)
    #expect(Set(mixed).isSuperset(of: [8, 9, 10, 11]) && Set(mixed).count == 7)
    // More than there are come again.
    #expect(try draw(.uniform, 30).count == 30)
  }

  @Test("reward+gamma draws in proportion to reward and γ, and never where there is no reward")
  func priorities() throws {
    let found = try draw(.rewardGamma, 4000)
    #expect(!found.contains { $0.number == 0 })
    let late = found.filter { $0.step == 2 }.count
    let lateShare = Double(late) / 4000
    #expect((0.627..<0.707).contains(lateShare))
    // Reward 11 of a sum of 66.
    let best = found.filter { $0.number == 5 }.count
    #expect((550..<783).contains(best))
    var table = ReplayTable(), random = RandomStream(seed: 1)
    table.add([ReplayTable.Row(number: 0, member: 0, epoch: 0, prompt: "", reward: -1)], oldest: 0)
    #expect { try table.draw(1, .rewardGamma, steps: 0..<2, discount: 0.9, random: &random) } throws: {
      "\($0)".contains("gradient.sampling")
    }
  }

  @Test("What is older than the window is forgotten")
  func window() {
    var table = table()
    table.add([], oldest: 2)
    #expect(table.rows.map(\.number) == [8, 9, 10, 11])
  }
}
