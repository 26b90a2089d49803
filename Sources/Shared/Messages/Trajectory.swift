// What an actor makes: trajectories with both states of every step, in groups that share a prompt and a beginning.

package import Engine

/// The score of one clean state by one reward.
package struct Score: Sendable, Equatable {
  /// The step whose clean state was scored, 0..<N.
  package var step: Int
  /// Name of the reward.
  package var reward: String
  /// Version of the scorer.
  package var version: String
  /// nil: missing, which is not zero.
  package var value: Float?

  /// A score, or a missing one.
  package init(step: Int, reward: String, version: String, value: Float?) {
    self.step = step
    self.reward = reward
    self.version = version
    self.value = value
  }
}

/// N denoising steps of one sample.
package struct Trajectory: Sendable {
  /// Noisy states, the initial one first: `[N + 1, C, H, W]`.
  package var states: Tensor
  /// Predicted clean states: `[N, C, H, W]`.
  package var cleanStates: Tensor
  /// Log-probabilities of the steps under the policy that took them, N of them.
  package var logProbabilities: [Float]
  /// Those that exist and those marked missing, by step and reward.
  package var scores: [Score]
  /// N of them, or empty when a score is missing.
  package var denseRewards: [Float]
  /// The step whose clean state was scored between the first and the last, 0..<N.
  package var anchorStep: Int

  /// A trajectory with all it holds; shapes as at its properties.
  package init(
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
  package var stepCount: Int { logProbabilities.count }
  /// All scores are there.
  package var isScored: Bool { !denseRewards.isEmpty }
}

/// Trajectories of one assignment, sharing prompt and initial state (SDPO's pair), with all that made them.
package struct TrajectoryGroup: Sendable {
  /// Most trajectories in a group.
  package static let largestSize = 1024

  /// The run it was made for.
  package var runID: String
  /// The assignment's number, unique in the run.
  package var number: Int
  /// The epoch it was assigned for.
  package var epoch: Int
  /// Name of the actor that made it.
  package var actor: String
  /// Which life of that actor.
  package var incarnation: Int
  /// The policy it was sampled from.
  package var policyVersion: Int
  /// What is to be seen.
  package var prompt: String
  /// The run's seed.
  package var seed: UInt64
  /// Timesteps of the N steps, descending.
  package var timesteps: [Int]
  /// DDIM's eta: 0 without noise, 1 with all of it.
  package var eta: Float
  /// Of classifier-free guidance; 1: none.
  package var guidanceScale: Float
  /// At least one; all of one shape.
  package var trajectories: [Trajectory]

  /// A group with all it holds.
  package init(
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
  package var stateByteCount: Int { trajectories.reduce(0) { $0 + 4 * ($1.states.count + $1.cleanStates.count) } }
  /// Every trajectory has all its scores.
  package var isScored: Bool { trajectories.allSatisfy(\.isScored) }
  /// Names of all rewards, sorted.
  package var rewards: [String] { Set(trajectories.flatMap { $0.scores.map(\.reward) }).sorted() }
}
