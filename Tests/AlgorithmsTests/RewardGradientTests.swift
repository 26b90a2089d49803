// Reward-gradient methods on a network with one parameter: their derivatives equal finite differences.

import Algorithms
import Diffusion
import Engine
import Settings
import Testing

@Suite struct RewardGradientTests {
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

  @Test(arguments: ["sqdf", "sqdf-consistency", "sqdf-n-step", "draft-k", "draft-kl", "draft-lv", "refl", "lasro"])
  func `the derivative equals finite differences`(_ name: String) throws {
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
      // The loss is about 1 and rounded to float32, so the difference quotient is off by about 3e-5; the worst measured
      // error is 5e-4 of the derivative. Derivatives below 0.05 are compared as if they were 0.05.
      #expect(
        abs(found.derivative - expected) <= 2e-3 * max(abs(expected), 0.05),
        "\(name) from step \(step): \(found.derivative), expected \(expected)")
      #expect(found.metrics.rewards.count >= 3 && found.metrics.loss == found.loss)
    }
  }

  @Test func `a missing score counts neither in mean nor gradient, and a masked sample adds nothing`() throws {
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

  @Test func `the divergence is zero for the reference's own weight, and grows away from it`() throws {
    let method = SQDF(options())
    #expect(try objective(method, weight: 0.3, step: 0, reward: reward).metrics.divergences == [0, 0, 0])
    let near = try objective(method, weight: 0.4, step: 0, reward: reward).metrics.divergences[0]
    let far = try objective(method, weight: 0.5, step: 0, reward: reward).metrics.divergences[0]
    #expect(near > 0 && abs(far / near - 4) < 1e-2)
  }

  @Test func `the state itself is the estimate where no step is left`() throws {
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

  @Test func `impossible settings are refused by the name of the key`() {
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
