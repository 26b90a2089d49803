// Synthetic groups for load tests and for tests of the accounting. They need no model, and all of their numbers follow
// from the seed of the run and the assignment, so that a reader can check whether a stored group is unchanged.

internal import Diffusion
internal import Engine
package import Messages

package enum SyntheticGroups {
  /// The model hash of a learner of synthetic groups.
  package static let modelHash = "synthetic"
  /// The reward of synthetic groups: the first byte of each picture.
  package static let reward = "first-byte"

  package struct Shape: Sendable {
    package var steps = 3
    /// Number of elements of one latent state.
    package var stateSize = 16

    /// By default a group of two has about a kilobyte.
    package init() {}
  }

  /// The first byte of the picture of a clean state. It is never 0, so that a score of 0 reveals a fault.
  static func byte(number: Int, trajectory: Int, step: Int) -> UInt8 {
    UInt8(1 + (number &* 7 &+ trajectory &* 31 &+ step &* 13) % 255)
  }

  static func trajectory(_ index: Int, number: Int, seed: UInt64, shape: Shape) -> Trajectory {
    // Two alternating values are cheap and still distinguish every group, trajectory and step. The trajectories of a
    // group share their initial state.
    func states(_ count: Int, _ kind: Float) -> Tensor {
      let base: Float = Float(number % 65_521) + Float(seed % 97) / 128 + kind
      var values: [Float] = []
      values.reserveCapacity(count * shape.stateSize)
      for step in 0..<count {
        let own = kind == 0 && step == 0 ? 0 : Float(index) / 4
        let value: Float = base + own + Float(step) / 32
        for index in 0..<shape.stateSize { values.append(index % 2 == 0 ? value : value + 1) }
      }
      return Tensor(values, shape: [count, 1, 1, shape.stateSize])
    }
    let clean = states(shape.steps, 0.5)
    return Trajectory(
      states: states(shape.steps + 1, 0), cleanStates: clean,
      logProbabilities: (0..<shape.steps).map { -Float(number % 127) - Float($0) }, scores: [], denseRewards: [],
      anchorStep: LatentSimilarity(cleanStates: clean).anchor)
  }

  static func draft(_ assignment: Assignment, run: RunIdentity, shape: Shape) -> DraftGroup {
    let trajectories = (0..<assignment.groupSize).map {
      trajectory($0, number: assignment.number, seed: run.seed, shape: shape)
    }
    let similarities = trajectories.map { LatentSimilarity(cleanStates: $0.cleanStates) }
    let bytes = zip(trajectories.indices, similarities).flatMap { index, similarity in
      similarity.scoredSteps.flatMap { step in
        [UInt8](repeating: byte(number: assignment.number, trajectory: index, step: step), count: 3)
      }
    }
    let group = TrajectoryGroup(
      runID: run.id, number: assignment.number, epoch: assignment.epoch, actor: run.actor,
      incarnation: run.incarnation, policyVersion: assignment.policyVersion, prompt: assignment.prompt, seed: run.seed,
      timesteps: (0..<shape.steps).map { 999 - $0 }, eta: 1, guidanceScale: 1, trajectories: trajectories)
    return DraftGroup(
      group: group, scorings: similarities.map(TrajectoryScoring.dense),
      images: ImageBatch(count: bytes.count / 3, height: 1, width: 1, pixels: bytes))
  }

  /// The difference between a stored group and the group that was created.
  ///
  /// - Returns: A description; nil if there is no difference. A missing score is no difference.
  package static func problem(with group: TrajectoryGroup, shape: Shape = Shape()) -> String? {
    for (index, found) in group.trajectories.enumerated() {
      let made = trajectory(index, number: group.number, seed: group.seed, shape: shape)
      guard found.states.values == made.states.values, found.cleanStates.values == made.cleanStates.values,
        found.logProbabilities == made.logProbabilities
      else { return "group \(group.number), trajectory \(index): the numbers differ from those that were created" }
      for score in found.scores {
        guard let value = score.value else { continue }
        let expected = Float(byte(number: group.number, trajectory: index, step: score.step))
        guard value == expected else {
          return "group \(group.number), trajectory \(index), step \(score.step): expected the score \(expected) or a "
            + "missing score, found \(value)"
        }
      }
    }
    return nil
  }
}

/// A source of synthetic groups with a given pace.
final class SyntheticSampler: GroupSource {
  let modelHash = SyntheticGroups.modelHash
  private(set) var policyVersion: Int?
  private let shape: SyntheticGroups.Shape
  private let wait: (Duration) -> Void
  private let pace: Duration

  /// - Parameters:
  ///   - pace: Time that the sampler takes for a batch.
  ///   - wait: Waits for that time.
  init(shape: SyntheticGroups.Shape, pace: Duration, wait: @escaping (Duration) -> Void) {
    (self.shape, self.pace, self.wait) = (shape, pace, wait)
  }

  func bind(_ bytes: [UInt8], version: Int, tensorCount: Int?) throws { policyVersion = version }

  func sample(_ assignments: [Assignment], run: RunIdentity) throws -> [DraftGroup] {
    if pace > .zero { wait(pace) }
    return assignments.map { SyntheticGroups.draft($0, run: run, shape: shape) }
  }
}
