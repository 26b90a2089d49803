// Groups that cost nothing and whose every number follows from run seed and assignment, so that whoever reads one later
// can say whether it is what was made: for load and for accounting, never for training.

internal import Diffusion
internal import Engine
package import Messages

/// Makes synthetic groups, and recognises them.
package enum SyntheticGroups {
  /// What a learner of synthetic groups names as its model.
  package static let modelHash = "synthetic"
  /// The reward to ask for: the first byte of each picture.
  package static let reward = "first-byte"

  /// How large the groups are.
  package struct Shape: Sendable {
    /// Denoising steps.
    package var steps = 3
    /// Floats of one latent state.
    package var stateSize = 16

    /// Small: about a kilobyte a group of two.
    package init() {}
  }

  /// The byte that a clean state's picture begins with; never 0, so that a score of 0 shows a fault.
  static func byte(number: Int, trajectory: Int, step: Int) -> UInt8 {
    UInt8(1 + (number &* 7 &+ trajectory &* 31 &+ step &* 13) % 255)
  }

  static func trajectory(_ index: Int, number: Int, seed: UInt64, shape: Shape) -> Trajectory {
    // One number repeated costs nothing and still tells every group, trajectory and step apart; the trajectories of a
    // group begin alike.
    func states(_ count: Int, _ kind: Float) -> Tensor {
      let base: Float = Float(number % 65_521) + Float(seed % 97) / 128 + kind
      var values: [Float] = []
      values.reserveCapacity(count * shape.stateSize)
      for step in 0..<count {
        let own = kind == 0 && step == 0 ? 0 : Float(index) / 4
        let value: Float = base + own + Float(step) / 32
        for place in 0..<shape.stateSize { values.append(place % 2 == 0 ? value : value + 1) }
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

  /// What is wrong with a stored group.
  ///
  /// - Returns: in words; nil when it is exactly what was made, each score right or marked as missing.
  package static func problem(with group: TrajectoryGroup, shape: Shape = Shape()) -> String? {
    for (index, found) in group.trajectories.enumerated() {
      let made = trajectory(index, number: group.number, seed: group.seed, shape: shape)
      guard found.states.values == made.states.values, found.cleanStates.values == made.cleanStates.values,
        found.logProbabilities == made.logProbabilities
      else { return "group \(group.number), trajectory \(index): expected the numbers that were made, found others" }
      for score in found.scores {
        guard let value = score.value else { continue }
        let expected = Float(byte(number: group.number, trajectory: index, step: score.step))
        guard value == expected else {
          return "group \(group.number), trajectory \(index), step \(score.step): expected the score \(expected) or a "
            + "missing one, found \(value)"
        }
      }
    }
    return nil
  }
}

/// Samples synthetic groups at a given pace.
final class SyntheticSampler: GroupSource {
  let modelHash = SyntheticGroups.modelHash
  private(set) var policyVersion: Int?
  private let shape: SyntheticGroups.Shape
  private let wait: (Duration) -> Void
  private let pace: Duration

  /// - Parameters:
  ///   - pace: time for which a batch takes the sampler, as if it computed.
  ///   - wait: passes that time.
  init(shape: SyntheticGroups.Shape, pace: Duration, wait: @escaping (Duration) -> Void) {
    self.shape = shape
    self.pace = pace
    self.wait = wait
  }

  func bind(_ bytes: [UInt8], version: Int, tensorCount: Int?) throws { policyVersion = version }

  func sample(_ assignments: [Assignment], run: RunIdentity) throws -> [DraftGroup] {
    if pace > .zero { wait(pace) }
    return assignments.map { SyntheticGroups.draft($0, run: run, shape: shape) }
  }
}
