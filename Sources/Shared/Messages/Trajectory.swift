// What an actor makes: trajectories with both states of every step, in groups that share a prompt and a beginning.

public import Engine

/// The score of one clean state by one reward.
public struct Score: Sendable, Equatable {
  /// The step whose clean state was scored, 0..<N.
  public var step: Int
  public var reward: String
  /// Version of the scorer.
  public var version: String
  /// nil: missing, which is not zero.
  public var value: Float?

  public init(step: Int, reward: String, version: String, value: Float?) {
    self.step = step
    self.reward = reward
    self.version = version
    self.value = value
  }
}

/// N denoising steps of one sample.
public struct Trajectory: Sendable {
  /// Noisy states, the initial one first: `[N + 1, C, H, W]`.
  public var states: Tensor
  /// Predicted clean states: `[N, C, H, W]`.
  public var cleanStates: Tensor
  /// Log-probabilities of the steps under the policy that took them, N of them.
  public var logProbabilities: [Float]
  public var scores: [Score]
  /// N of them, or empty when a score is missing.
  public var denseRewards: [Float]
  /// The step whose clean state was scored between the first and the last, 0..<N.
  public var anchorStep: Int

  public init(
    states: Tensor, cleanStates: Tensor, logProbabilities: [Float], scores: [Score], denseRewards: [Float],
    anchorStep: Int
  ) {
    self.states = states
    self.cleanStates = cleanStates
    self.logProbabilities = logProbabilities
    self.scores = scores
    self.denseRewards = denseRewards
    self.anchorStep = anchorStep
  }

  /// Number of steps, N.
  public var stepCount: Int { logProbabilities.count }
  /// All scores are there.
  public var isScored: Bool { !denseRewards.isEmpty }
}

/// Trajectories of one assignment, sharing prompt and initial state (SDPO's pair), with all that made them.
public struct TrajectoryGroup: Sendable {
  /// Most trajectories in a group.
  public static let largestSize = 1024

  public var runID: String
  /// The assignment's number, unique in the run.
  public var number: Int
  public var epoch: Int
  /// Name of the actor that made it.
  public var actor: String
  public var incarnation: Int
  public var policyVersion: Int
  public var prompt: String
  /// The run's seed.
  public var seed: UInt64
  /// Timesteps of the N steps, descending.
  public var timesteps: [Int]
  public var eta: Float
  public var guidanceScale: Float
  public var trajectories: [Trajectory]

  public init(
    runID: String, number: Int, epoch: Int, actor: String, incarnation: Int, policyVersion: Int, prompt: String,
    seed: UInt64, timesteps: [Int], eta: Float, guidanceScale: Float, trajectories: [Trajectory]
  ) {
    self.runID = runID
    self.number = number
    self.epoch = epoch
    self.actor = actor
    self.incarnation = incarnation
    self.policyVersion = policyVersion
    self.prompt = prompt
    self.seed = seed
    self.timesteps = timesteps
    self.eta = eta
    self.guidanceScale = guidanceScale
    self.trajectories = trajectories
  }

  /// Every trajectory has all its scores.
  public var isScored: Bool { trajectories.allSatisfy(\.isScored) }
  /// Names of all rewards, sorted.
  public var rewards: [String] { Set(trajectories.flatMap { $0.scores.map(\.reward) }).sorted() }
}
