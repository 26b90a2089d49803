// Trajectories, with the noisy and the clean state of every step, in groups that share a prompt and an initial noise.

package import Engine

package struct Score: Sendable, Equatable {
  /// The step whose clean state was scored, 0..<N.
  package var step: Int
  package var reward: String
  package var version: String
  /// nil: missing.
  package var value: Float?

  package init(step: Int, reward: String, version: String, value: Float?) {
    (self.step, self.reward, self.version, self.value) = (step, reward, version, value)
  }
}

package struct Trajectory: Sendable {
  /// Noisy states, starting with the initial one: `[N + 1, C, H, W]`.
  package var states: Tensor
  /// Predicted clean states: `[N, C, H, W]`.
  package var cleanStates: Tensor
  /// Log-probabilities of the N steps under the policy that sampled them.
  package var logProbabilities: [Float]
  /// By step and reward, including missing ones.
  package var scores: [Score]
  /// One per step, or empty if a score is missing.
  package var denseRewards: [Float]
  /// The step between the first and the last whose clean state was scored, 0..<N.
  package var anchorStep: Int

  package init(
    states: Tensor, cleanStates: Tensor, logProbabilities: [Float], scores: [Score], denseRewards: [Float],
    anchorStep: Int
  ) {
    (self.states, self.cleanStates, self.logProbabilities) = (states, cleanStates, logProbabilities)
    (self.scores, self.denseRewards, self.anchorStep) = (scores, denseRewards, anchorStep)
  }

  /// Number of steps, N.
  package var stepCount: Int { logProbabilities.count }
  package var isScored: Bool { !denseRewards.isEmpty }
}

/// The trajectories of one assignment, which share a prompt and an initial state (a pair in SDPO), with their origin.
package struct TrajectoryGroup: Sendable {
  package static let largestSize = 1024

  package var runID: String
  /// The number of the assignment, unique in the run.
  package var number: Int
  package var epoch: Int
  package var actor: String
  package var incarnation: Int
  package var policyVersion: Int
  package var prompt: String
  package var seed: UInt64
  /// Timesteps of the N steps, descending.
  package var timesteps: [Int]
  /// The eta of DDIM: 0 is deterministic, 1 has the noise of DDPM.
  package var eta: Float
  /// Scale of classifier-free guidance; 1: none.
  package var guidanceScale: Float
  /// At least one. All have the same shape.
  package var trajectories: [Trajectory]

  package init(
    runID: String, number: Int, epoch: Int, actor: String, incarnation: Int, policyVersion: Int, prompt: String,
    seed: UInt64, timesteps: [Int], eta: Float, guidanceScale: Float, trajectories: [Trajectory]
  ) {
    (self.runID, self.number, self.epoch, self.actor) = (runID, number, epoch, actor)
    (self.incarnation, self.policyVersion, self.prompt, self.seed) = (incarnation, policyVersion, prompt, seed)
    (self.timesteps, self.eta, self.guidanceScale, self.trajectories) = (timesteps, eta, guidanceScale, trajectories)
  }

  package var stateByteCount: Int { trajectories.reduce(0) { $0 + 4 * ($1.states.count + $1.cleanStates.count) } }
  package var isScored: Bool { trajectories.allSatisfy(\.isScored) }
  /// The names of all rewards, sorted.
  package var rewards: [String] { Set(trajectories.flatMap { $0.scores.map(\.reward) }).sorted() }
}
