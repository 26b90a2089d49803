// What a policy-gradient method is to the learner, and the one list of those there are: a new method is a file and a
// line in `AlgorithmRegistry`.

public import Engine
public import Foundation

/// A setting that no method can work with, in words.
public struct AlgorithmError: Error, CustomStringConvertible, Equatable {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Settings that methods share; each takes what its paper has.
public struct AlgorithmOptions: Sendable {
  /// γ of the returns.
  public var discount: Float = 0.99
  /// λ of SDPO's temporal weights λ^i, i = 0 the noisiest step.
  public var temporalWeight: Float = 0.99
  /// Divides the log-ratio in SDPO's loss.
  public var logScale: Float = 1
  /// Log-probabilities may move so far from the behaviour policy's before the clipped loss holds them.
  public var logRatioClip: Float = 1e-4
  /// Advantages are limited to ± this.
  public var advantageClip: Float = 5
  /// Normalise per (prompt, step); off: over the whole batch.
  public var normalizesPerPrompt = true
  /// See `PromptStatistics`.
  public var statisticsBufferSize = 32
  /// See `PromptStatistics`.
  public var statisticsMinimumCount = 16

  public init() {}

  /// - Throws: `AlgorithmError` naming the option.
  public func validate() throws {
    func require(_ condition: Bool, _ text: String) throws { if !condition { throw AlgorithmError(text) } }
    try require((0...1).contains(discount), "discount: expected 0 to 1, found \(discount)")
    try require(
      temporalWeight > 0 && temporalWeight <= 1, "lambda: expected more than 0 and at most 1, found \(temporalWeight)")
    try require(logScale > 0 && logScale.isFinite, "logScale: expected a positive number, found \(logScale)")
    try require(logRatioClip > 0, "logRatioClip: expected a positive number, found \(logRatioClip)")
    try require(advantageClip > 0, "advantageClip: expected a positive number, found \(advantageClip)")
  }
}

/// One step each of M groups of G trajectories, as a loss sees them.
public struct PolicyTerms {
  /// Log-probabilities under the policy that is trained, tracked, `[G, M]`.
  public let logProbabilities: Tensor
  /// Those under the policy that took the steps, `[G, M]`.
  public let behaviour: Tensor
  /// Advantages, `[G, M]`.
  public let advantages: Tensor
  /// The step index of each group, 0 the noisiest; M of them.
  public let steps: [Int]

  public init(logProbabilities: Tensor, behaviour: Tensor, advantages: Tensor, steps: [Int]) {
    let shape = logProbabilities.shape
    check(
      shape.count == 2 && behaviour.shape == shape && advantages.shape == shape && steps.count == shape[1],
      "PolicyTerms: shapes \(shape), \(behaviour.shape), \(advantages.shape), \(steps.count) steps")
    self.logProbabilities = logProbabilities
    self.behaviour = behaviour
    self.advantages = advantages
    self.steps = steps
  }
}

/// What a loss says about the policy beside its value.
public struct LossMetrics: Sendable, Equatable {
  /// The loss's value. SDPO's is dominated by the advantages: no measure of health.
  public var loss: Float
  /// Mean of log π - log π_behaviour.
  public var logRatioMean: Float
  /// Its population standard deviation.
  public var logRatioDeviation: Float
  /// Its largest absolute value.
  public var logRatioLargest: Float
  /// Part of the terms in which the clipped loss was the larger one.
  public var clipFraction: Float

  public init(loss: Float, logRatios: [Float], clipFraction: Float) {
    let moments = Moments(logRatios)
    self.loss = loss
    logRatioMean = Float(moments.mean)
    logRatioDeviation = Float(moments.deviation)
    logRatioLargest = logRatios.map(abs).max() ?? 0
    self.clipFraction = clipFraction
  }
}

/// A method that learns from groups of trajectories by their log-probabilities. Its state is part of the run's.
public protocol Algorithm: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// Trajectories a group.
  static var groupSize: Int { get }

  /// - Throws: `AlgorithmError` naming the option that does not do.
  init(_ options: AlgorithmOptions) throws

  /// Advantages from dense rewards, a row a trajectory, a column a step; statistics of prompts are updated.
  mutating func advantages(denseRewards: [[Float]], prompts: [String]) -> [[Float]]

  /// The scalar to minimise, and what it says about the policy. A pure function.
  func loss(_ terms: PolicyTerms) -> (loss: Tensor, metrics: LossMetrics)

  /// The state between epochs, for a checkpoint.
  func state() throws -> Data
  /// Takes up the state of a checkpoint.
  mutating func restore(_ state: Data) throws
}

/// All methods, by name.
public enum AlgorithmRegistry {
  private static let all: [any Algorithm.Type] = [
    SDPO.self
  ]

  /// The names that `make` knows.
  public static var names: [String] { all.map { $0.name } }

  /// - Throws: `AlgorithmError` when there is no method of that name, or it cannot work with the options.
  public static func make(_ name: String, _ options: AlgorithmOptions) throws -> any Algorithm {
    guard let type = all.first(where: { $0.name == name }) else {
      throw AlgorithmError("algorithm: expected one of \(names.joined(separator: ", ")), found \(name)")
    }
    try options.validate()
    return try type.init(options)
  }
}
