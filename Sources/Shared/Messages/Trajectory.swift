// What an actor makes: trajectories with both states of every step, in groups that share a prompt and a beginning.

public import Engine

/// The score of one clean state by one reward.
public struct Score: Sendable, Equatable {
  /// The step whose clean state was scored, 0..<N.
  public var step: Int
  /// Name of the reward.
  public var reward: String
  /// Version of the scorer.
  public var version: String
  /// nil: missing, which is not zero.
  public var value: Float?

  /// A score, or a missing one.
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
  /// Those that exist and those marked missing, by step and reward.
  public var scores: [Score]
  /// N of them, or empty when a score is missing.
  public var denseRewards: [Float]
  /// The step whose clean state was scored between the first and the last, 0..<N.
  public var anchorStep: Int

  /// A trajectory with all it holds; shapes as at its properties.
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

  /// The run it was made for.
  public var runID: String
  /// The assignment's number, unique in the run.
  public var number: Int
  /// The epoch it was assigned for.
  public var epoch: Int
  /// Name of the actor that made it.
  public var actor: String
  /// Which life of that actor.
  public var incarnation: Int
  /// The policy it was sampled from.
  public var policyVersion: Int
  /// What is to be seen.
  public var prompt: String
  /// The run's seed.
  public var seed: UInt64
  /// Timesteps of the N steps, descending.
  public var timesteps: [Int]
  /// DDIM's eta: 0 without noise, 1 with all of it.
  public var eta: Float
  /// Of classifier-free guidance; 1: none.
  public var guidanceScale: Float
  /// At least one; all of one shape.
  public var trajectories: [Trajectory]

  /// A group with all it holds.
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

  /// Bytes of all states and clean states, beside which the rest is little.
  public var stateByteCount: Int { trajectories.reduce(0) { $0 + 4 * ($1.states.count + $1.cleanStates.count) } }
  /// Every trajectory has all its scores.
  public var isScored: Bool { trajectories.allSatisfy(\.isScored) }
  /// Names of all rewards, sorted.
  public var rewards: [String] { Set(trajectories.flatMap { $0.scores.map(\.reward) }).sorted() }
}
